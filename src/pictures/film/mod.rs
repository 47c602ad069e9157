//! Greedy episodes as pictures: an animation, or a film strip.
//!
//! *Design.* An episode is played again for its pictures, from the seed that it had in an
//! evaluation: policy and environment are deterministic, so it is the same episode, and evaluations
//! need not know of pictures.

pub mod animation;
pub mod episode;
pub mod strip;

pub use animation::gif;
pub use episode::{Film, FilmError, MAX_EPISODES, MAX_FRAMES, drawable, film};
pub use strip::png_strip;
