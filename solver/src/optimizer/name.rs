//! The names of optimizers.

use std::{fmt, str::FromStr};

use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer, value::Error},
};

/// An optimizer's textbook name, on the command line and in files in small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // `OptimizerName::summary` says what each is.
pub enum OptimizerName {
    Egn,
    Adam,
    AdamW,
    RmsProp,
    Sgd,
    Lion,
    Sgn,
}

impl OptimizerName {
    /// All of them, in the order in which a list shows them.
    pub const ALL: [Self; 7] = [Self::Egn, Self::Adam, Self::AdamW, Self::RmsProp, Self::Sgd, Self::Lion, Self::Sgn];
}

impl fmt::Display for OptimizerName {
    /// As in files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl FromStr for OptimizerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = Self::deserialize(text.into_deserializer());
        name.map_err(|_: Error| format!("unknown optimizer '{text}'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in OptimizerName::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert_eq!(format!("{:7}|", OptimizerName::RmsProp), "rmsprop|");
        assert_eq!(format!("{:5}|", OptimizerName::Sgd), "sgd  |");
        assert_eq!("adamw2".parse::<OptimizerName>(), Err("unknown optimizer 'adamw2'".to_owned()));
    }
}
