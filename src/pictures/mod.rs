//! Records and episodes as pictures and pages.

pub mod chart;
pub mod film;
mod png_image;
pub mod present;
pub mod report;
