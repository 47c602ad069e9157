//! egn
fn main() {}
