//! Checks of settings, and how one is refused.

use std::fmt;

/// A setting that is out of its range, with its name, the range and the value in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be {range}, not {value}")]
pub struct SettingError {
    /// The key, with dots where a setting is part of another.
    pub name: String,
    /// Which values are accepted.
    pub range: String,
    /// The value refused, as it is written.
    pub value: String,
}

impl SettingError {
    /// The refusal of a value.
    pub fn new(name: impl Into<String>, range: impl Into<String>, value: impl fmt::Debug) -> Self {
        Self { name: name.into(), range: range.into(), value: format!("{value:?}") }
    }
}

/// Checks a setting: `ok`, or an error that names it, its range and its value.
///
/// # Errors
/// Unless `ok`.
pub fn require(ok: bool, name: &str, range: &str, value: impl fmt::Debug) -> Result<(), SettingError> {
    if ok { Ok(()) } else { Err(SettingError::new(name, range, value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_setting_the_range_and_the_value() {
        assert_eq!(require(true, "gamma", "in [0, 1]", 0.5), Ok(()));
        let refusal = require(false, "gamma", "in [0, 1]", 1.5).unwrap_err();
        assert_eq!(refusal.to_string(), "gamma must be in [0, 1], not 1.5");
        assert_eq!((refusal.name.as_str(), refusal.value.as_str()), ("gamma", "1.5"));
    }
}
