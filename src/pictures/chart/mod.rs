//! Learning curves of several cohorts side by side, as SVG and PNG.
//!
//! Two panels: return against environment steps, and against CPU seconds, since a Gauss-Newton step
//! costs more than one of Adam's. Lines are interquartile means over seeds, bands their 95 %
//! bootstrap intervals. A chart is a function of records and of nothing else: drawing it
//! twice gives the same bytes.

mod drawing;
pub mod figure;
mod raster;
pub mod rendering;

pub use figure::{Chart, ChartError};
pub use rendering::LegendEntry;
