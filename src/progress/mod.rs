//! How a run shows where it stands.

pub mod line;
pub mod view;

pub use line::{Line, Standing, Watch};
pub use view::View;
