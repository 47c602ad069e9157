//! Settings of registered environments by name, for command lines.
//!
//! Names are the keyword arguments of Gymnasium and MinAtar where those have one; flags are 0 or 1.

use crate::error::EnvError;

/// Settings that remain to be taken; what nobody takes is refused.
#[derive(Debug, Clone)]
pub(crate) struct Settings<'a> {
    given: Vec<(&'a str, f64)>,
    /// Names asked for so far.
    accepted: Vec<&'static str>,
}

impl<'a> Settings<'a> {
    pub(crate) fn new(given: &'a [(String, f64)]) -> Self {
        Settings { given: given.iter().map(|(name, value)| (name.as_str(), *value)).collect(), accepted: Vec::new() }
    }

    /// The value given for `name`, if any; the last one, where there are several.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<f64> {
        self.accepted.push(name);
        let value = self.given.iter().rfind(|(given, _)| *given == name).map(|(_, value)| *value);
        self.given.retain(|(given, _)| *given != name);
        value
    }

    /// Takes a finite number, or `default` where it is not given.
    pub(crate) fn number(&mut self, setting: &'static str, default: f64) -> Result<f64, EnvError> {
        match self.take(setting) {
            Some(value) if !value.is_finite() => Err(EnvError::Setting { setting, value, accepted: "a finite number" }),
            given => Ok(given.unwrap_or(default)),
        }
    }

    /// Takes a flag, 0 or 1, or `default` where it is not given.
    pub(crate) fn flag(&mut self, setting: &'static str, default: bool) -> Result<bool, EnvError> {
        match self.take(setting) {
            None => Ok(default),
            Some(0.0) => Ok(false),
            Some(1.0) => Ok(true),
            Some(value) => Err(EnvError::Setting { setting, value, accepted: "0 or 1" }),
        }
    }

    /// Takes a whole number from 1, or `default` where it is not given.
    pub(crate) fn count(&mut self, setting: &'static str, default: Option<usize>) -> Result<Option<usize>, EnvError> {
        match self.take(setting) {
            None => Ok(default),
            // 2⁵³: the whole numbers that f64 counts without a gap.
            Some(value) if value.fract() == 0.0 && (1.0..=9_007_199_254_740_992.0).contains(&value) => {
                Ok(Some(value as usize))
            }
            Some(value) => Err(EnvError::Setting { setting, value, accepted: "a whole number from 1" }),
        }
    }

    /// Checks that every setting given was taken.
    pub(crate) fn finish(self) -> Result<(), EnvError> {
        match self.given.first() {
            None => Ok(()),
            Some((name, _)) => {
                let accepted = self.accepted.join(", ");
                Err(EnvError::UnknownSetting { name: (*name).to_owned(), accepted })
            }
        }
    }
}
