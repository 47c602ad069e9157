//! Records as one page for a browser: charts, results, every seed, settings, and a film of each
//! environment.
//!
//! *Design.* The page is one file that asks nothing of a network and runs no script: charts stand
//! in it as SVG, films as GIFs. It is a function of records and films and of nothing else. Whatever
//! a record says is shown as text.

mod html;
pub mod page;
mod settings;

pub use page::{Film, Picture, page};
