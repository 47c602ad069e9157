//! What a setting of an environment can be.

use std::fmt;

/// What a setting of an environment is set to.
#[derive(Debug, Clone, PartialEq)]
pub enum SettingValue {
    /// A number; a flag is 0 or 1.
    Number(f64),
    /// Several numbers, such as the two ends of a range.
    Numbers(Vec<f64>),
    /// A name, such as that of a file.
    Text(String),
}

impl From<f64> for SettingValue {
    fn from(number: f64) -> Self {
        SettingValue::Number(number)
    }
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingValue::Number(number) => number.fmt(f),
            SettingValue::Numbers(numbers) => write!(f, "{numbers:?}"),
            SettingValue::Text(text) => write!(f, "{text:?}"),
        }
    }
}
