//! The choice among optimizers.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    linalg::real::Real,
    optimizer::{
        adam::{Adam, AdamConfig, AdamWConfig},
        gauss_newton::{
            egn::{Egn, EgnConfig},
            sgn::{Sgn, SgnConfig},
        },
        optimizer::Optimizer,
        rms_prop::{RmsProp, RmsPropConfig},
        sgd::{Sgd, SgdConfig},
    },
    setting::SettingError,
};

/// An optimizer's textbook name, as on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerName {
    /// Exact Gauss-Newton.
    Egn,
    /// Adam.
    Adam,
    /// Adam with decoupled weight decay.
    AdamW,
    /// RMSprop.
    RmsProp,
    /// Stochastic gradient descent.
    Sgd,
    /// Stochastic Gauss-Newton: inexact, by conjugate gradients.
    Sgn,
}

impl OptimizerName {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Egn, Self::Adam, Self::AdamW, Self::RmsProp, Self::Sgd, Self::Sgn];

    /// One line on what it is.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Egn => {
                "exact Gauss-Newton: damped; line search, adaptive damping, KL trust region (arXiv 2405.14402)"
            }
            Self::Adam => "Adam with PyTorch's semantics, optional global-norm clipping",
            Self::AdamW => "Adam with decoupled weight decay, with PyTorch's semantics",
            Self::RmsProp => "RMSprop with PyTorch's semantics",
            Self::Sgd => "stochastic gradient descent with PyTorch's momentum",
            Self::Sgn => "Gauss-Newton by conjugate gradients, inexact (arXiv 2006.02409)",
        }
    }
}

impl fmt::Display for OptimizerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Egn => "egn",
            Self::Adam => "adam",
            Self::AdamW => "adamw",
            Self::RmsProp => "rmsprop",
            Self::Sgd => "sgd",
            Self::Sgn => "sgn",
        })
    }
}

impl FromStr for OptimizerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|name| name.to_string() == text).ok_or_else(|| format!("unknown optimizer '{text}'"))
    }
}

/// An optimizer with its settings.
#[derive(Debug, Clone, PartialEq)]
pub enum OptimizerConfig {
    /// Exact Gauss-Newton.
    Egn(EgnConfig),
    /// Adam.
    Adam(AdamConfig),
    /// Adam with decoupled weight decay.
    AdamW(AdamWConfig),
    /// RMSprop.
    RmsProp(RmsPropConfig),
    /// Stochastic gradient descent.
    Sgd(SgdConfig),
    /// Stochastic Gauss-Newton.
    Sgn(SgnConfig),
}

impl From<OptimizerName> for OptimizerConfig {
    /// With default settings.
    fn from(name: OptimizerName) -> Self {
        match name {
            OptimizerName::Egn => Self::Egn(EgnConfig::default()),
            OptimizerName::Adam => Self::Adam(AdamConfig::default()),
            OptimizerName::AdamW => Self::AdamW(AdamWConfig::default()),
            OptimizerName::RmsProp => Self::RmsProp(RmsPropConfig::default()),
            OptimizerName::Sgd => Self::Sgd(SgdConfig::default()),
            OptimizerName::Sgn => Self::Sgn(SgnConfig::default()),
        }
    }
}

impl OptimizerConfig {
    /// Which one it is.
    pub fn name(&self) -> OptimizerName {
        match self {
            Self::Egn(_) => OptimizerName::Egn,
            Self::Adam(_) => OptimizerName::Adam,
            Self::AdamW(_) => OptimizerName::AdamW,
            Self::RmsProp(_) => OptimizerName::RmsProp,
            Self::Sgd(_) => OptimizerName::Sgd,
            Self::Sgn(_) => OptimizerName::Sgn,
        }
    }

    /// Ready to take its first step.
    pub fn build<T: Real>(&self) -> Box<dyn Optimizer<T>> {
        match self {
            Self::Egn(config) => Box::new(Egn::new(config.clone())),
            Self::Adam(config) => Box::new(Adam::new(config.clone())),
            Self::AdamW(config) => Box::new(Adam::decoupled(config.clone())),
            Self::RmsProp(config) => Box::new(RmsProp::new(config.clone())),
            Self::Sgd(config) => Box::new(Sgd::new(config.clone())),
            Self::Sgn(config) => Box::new(Sgn::new(config.clone())),
        }
    }

    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// The first setting that is not, with the range.
    pub fn validate(&self) -> Result<(), SettingError> {
        match self {
            Self::Egn(config) => config.validate(),
            Self::Adam(config) => config.validate(),
            Self::AdamW(config) => config.validate(),
            Self::RmsProp(config) => config.validate(),
            Self::Sgd(config) => config.validate(),
            Self::Sgn(config) => config.validate(),
        }
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
        assert!("adamw2".parse::<OptimizerName>().is_err());
    }
}
