//! The choice among optimizers.

use std::{collections::BTreeMap, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{
    Deserialize, Serialize,
    de::{
        IntoDeserializer,
        value::{Error, MapAccessDeserializer},
    },
};
use strum::{EnumDiscriminants, VariantArray};

use crate::{
    linalg::real::Real,
    optimizer::{
        first_order::{
            adam::{AdamConfig, AdamWConfig},
            kron::KronConfig,
            lion::LionConfig,
            muon::MuonConfig,
            rms_prop::RmsPropConfig,
            schedule_free::ScheduleFreeConfig,
            sgd::SgdConfig,
            soap::SoapConfig,
        },
        gauss_newton::{egn::EgnConfig, sgn::SgnConfig},
        optimizer::Optimizer,
        settings::{BuildOptimizer, OptimizerSettings},
    },
    over_default::over_default,
    setting::SettingError,
};

/// An optimizer with its settings; in a file a table of them under its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, EnumDiscriminants)]
#[serde(rename_all = "lowercase")]
#[strum_discriminants(
    doc = "The textbook name of an optimizer, on the command line and in files in small letters.",
    name(OptimizerName),
    derive(PartialOrd, Ord, Hash, Serialize, Deserialize, VariantArray),
    serde(rename_all = "lowercase"),
    allow(missing_docs)
)]
#[allow(missing_docs)] // `OptimizerName::summary` says what each is.
pub enum OptimizerConfig {
    Egn(EgnConfig),
    Adam(AdamConfig),
    #[serde(deserialize_with = "over_default")]
    AdamW(AdamWConfig),
    RmsProp(RmsPropConfig),
    Sgd(SgdConfig),
    Lion(LionConfig),
    #[serde(rename = "schedule-free")]
    #[strum_discriminants(serde(rename = "schedule-free"))]
    ScheduleFree(ScheduleFreeConfig),
    Muon(MuonConfig),
    Soap(SoapConfig),
    Kron(KronConfig),
    Sgn(SgnConfig),
}

impl OptimizerConfig {
    /// The settings of the optimizer, behind the trait that all settings share.
    pub fn settings(&self) -> &dyn OptimizerSettings {
        // They are the same for both number types.
        self.buildable::<f64>()
    }

    fn buildable<T: Real>(&self) -> &dyn BuildOptimizer<T> {
        match self {
            Self::Egn(settings) => settings,
            Self::Adam(settings) => settings,
            Self::AdamW(settings) => settings,
            Self::RmsProp(settings) => settings,
            Self::Sgd(settings) => settings,
            Self::Lion(settings) => settings,
            Self::ScheduleFree(settings) => settings,
            Self::Muon(settings) => settings,
            Self::Soap(settings) => settings,
            Self::Kron(settings) => settings,
            Self::Sgn(settings) => settings,
        }
    }

    /// The name of the optimizer.
    pub fn name(&self) -> OptimizerName {
        self.into()
    }

    /// The optimizer, ready to take its first step.
    pub fn build<T: Real>(&self) -> Box<dyn Optimizer<T>> {
        self.buildable().build()
    }

    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// The first setting that is not, with the range.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.settings().validate()
    }
}

impl From<OptimizerName> for OptimizerConfig {
    /// The optimizer with default settings, as an empty table under its name gives it.
    fn from(name: OptimizerName) -> Self {
        let table = BTreeMap::from([(name.to_string(), BTreeMap::<String, f64>::new())]);
        let read: Result<Self, Error> = Self::deserialize(MapAccessDeserializer::new(table.into_deserializer()));
        read.expect("every name is that of settings with defaults")
    }
}

impl fmt::Display for OptimizerName {
    /// Writes the name as serde does, so that it stands once.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl FromStr for OptimizerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.iter().find(|name| name.to_string() == text);
        named.copied().ok_or_else(|| format!("unknown optimizer '{text}'"))
    }
}

impl OptimizerName {
    /// All names of optimizers, as they are listed.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// One line on what the optimizer is.
    pub fn summary(self) -> &'static str {
        OptimizerConfig::from(self).settings().summary()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_settings_that_know_it() {
        for &name in OptimizerName::ALL {
            let config = OptimizerConfig::from(name);
            assert_eq!(config.name(), name);
            assert_eq!(config.validate(), Ok(()));
            assert!(!name.summary().is_empty());
        }
        assert_eq!(OptimizerConfig::from(OptimizerName::AdamW), OptimizerConfig::AdamW(AdamWConfig::default()));
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for &name in OptimizerName::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert_eq!(format!("{:7}|", OptimizerName::RmsProp), "rmsprop|");
        assert_eq!(format!("{:5}|", OptimizerName::Sgd), "sgd  |");
        assert_eq!("adamw2".parse::<OptimizerName>(), Err("unknown optimizer 'adamw2'".to_owned()));
    }
}
