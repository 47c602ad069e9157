//! Checks of settings.

use std::fmt;

/// Checks a setting: `ok`, or an error that names it, its range and its value.
///
/// # Errors
/// Unless `ok`.
pub fn require(ok: bool, name: &str, range: &str, value: impl fmt::Debug) -> Result<(), String> {
    if ok { Ok(()) } else { Err(format!("{name} must be {range}, not {value:?}")) }
}
