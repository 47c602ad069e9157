//! How a run shows where it stands.

pub mod line;
pub mod standing;
pub mod view;

pub use line::Line;
pub use standing::{Standing, Watch};
pub use view::View;
