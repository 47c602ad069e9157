//! Messages about records that are left out.

use std::io::Write;

pub(super) fn complain(error: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "left out: {error}");
}
