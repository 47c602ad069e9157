//! Settings of registered environments by name, for command lines.
//!
//! Names are the keyword arguments of Gymnasium and MinAtar where those have one; flags are 0 or 1.

use std::path::{Path, PathBuf};

use crate::error::EnvError;
use crate::setting_value::SettingValue;

/// Settings that remain to be taken; what nobody takes is refused.
#[derive(Debug, Clone)]
pub(crate) struct Settings<'a> {
    given: Vec<(&'a str, &'a SettingValue)>,
    /// Names asked for so far.
    accepted: Vec<&'static str>,
    /// The interpreter whose packages an environment may need.
    python: Option<&'a Path>,
}

impl<'a> Settings<'a> {
    pub(crate) fn new(given: &'a [(String, SettingValue)], python: Option<&'a Path>) -> Self {
        let given = given.iter().map(|(name, value)| (name.as_str(), value)).collect();
        Settings { given, accepted: Vec::new(), python }
    }

    /// The interpreter whose packages an environment may need, where one was named.
    pub(crate) fn python(&self) -> Option<&'a Path> {
        self.python
    }

    /// The value given for `name`, if any; the last one, where there are several.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'a SettingValue> {
        self.accepted.push(name);
        let value = self.given.iter().rfind(|(given, _)| *given == name).map(|(_, value)| *value);
        self.given.retain(|(given, _)| *given != name);
        value
    }

    /// Takes a finite number, or `default` where it is not given.
    pub(crate) fn number(&mut self, setting: &'static str, default: f64) -> Result<f64, EnvError> {
        match self.take(setting) {
            None => Ok(default),
            Some(SettingValue::Number(value)) if value.is_finite() => Ok(*value),
            Some(value) => Err(refused(setting, value, "a finite number")),
        }
    }

    /// Takes the two ends of a range, which may be infinite, or `default` where it is not given.
    pub(crate) fn range(&mut self, setting: &'static str, default: [f64; 2]) -> Result<[f64; 2], EnvError> {
        match self.take(setting) {
            None => Ok(default),
            Some(SettingValue::Numbers(ends)) if ends.len() == 2 && ends[0] <= ends[1] => Ok([ends[0], ends[1]]),
            Some(value) => Err(refused(setting, value, "two numbers, [least, greatest]")),
        }
    }

    /// Takes a flag, 0 or 1, or `default` where it is not given.
    pub(crate) fn flag(&mut self, setting: &'static str, default: bool) -> Result<bool, EnvError> {
        match self.take(setting) {
            None => Ok(default),
            Some(SettingValue::Number(0.0)) => Ok(false),
            Some(SettingValue::Number(1.0)) => Ok(true),
            Some(value) => Err(refused(setting, value, "true or false, or 1 or 0")),
        }
    }

    /// Takes a whole number from 1, or `default` where it is not given.
    pub(crate) fn count(&mut self, setting: &'static str, default: Option<usize>) -> Result<Option<usize>, EnvError> {
        match self.take(setting) {
            None => Ok(default),
            // 2⁵³: the whole numbers that f64 counts without a gap.
            Some(SettingValue::Number(value))
                if value.fract() == 0.0 && (1.0..=9_007_199_254_740_992.0).contains(value) =>
            {
                Ok(Some(*value as usize))
            }
            Some(value) => Err(refused(setting, value, "a whole number from 1")),
        }
    }

    /// Takes a finite number from 0 on, or `default` where it is not given.
    pub(crate) fn magnitude(&mut self, setting: &'static str, default: f64) -> Result<f64, EnvError> {
        match self.number(setting, default)? {
            value if value >= 0.0 => Ok(value),
            value => Err(refused(setting, &value.into(), "a finite number, 0 or more")),
        }
    }

    /// Takes the name of a file, where one is given that is not the `own` one.
    pub(crate) fn file(&mut self, setting: &'static str, own: &str) -> Result<Option<PathBuf>, EnvError> {
        match self.take(setting) {
            None => Ok(None),
            Some(SettingValue::Text(text)) if Path::new(text).is_file() => Ok(Some(PathBuf::from(text))),
            Some(SettingValue::Text(text)) if text == own => Ok(None),
            Some(value) => Err(refused(setting, value, "the name of a file that exists")),
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

fn refused(setting: &'static str, value: &SettingValue, accepted: &'static str) -> EnvError {
    EnvError::Setting { setting, value: value.clone(), accepted }
}
