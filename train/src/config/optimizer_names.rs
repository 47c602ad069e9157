//! The names of a run's optimizers, one word where they are of one kind.

use std::{fmt, str::FromStr};

use egn_solver::OptimizerName;

/// The kinds of optimizer of a run: one for every network, written `egn`, or one for the policy and
/// another for the critics, written `adam+egn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptimizerNames {
    /// Optimizer of the policy, or of the only network.
    pub policy: OptimizerName,
    /// Optimizer of the critics.
    pub critic: OptimizerName,
}

impl OptimizerNames {
    /// Whether policy and critics have optimizers of different kinds.
    pub fn differ(self) -> bool {
        self.policy != self.critic
    }
}

impl From<OptimizerName> for OptimizerNames {
    fn from(name: OptimizerName) -> Self {
        Self { policy: name, critic: name }
    }
}

impl fmt::Display for OptimizerNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.differ() {
            true => f.pad(&format!("{}+{}", self.policy, self.critic)),
            false => self.policy.fmt(f),
        }
    }
}

impl FromStr for OptimizerNames {
    type Err = String;

    /// Reads a name or two joined by `+`.
    ///
    /// # Errors
    /// The name that is none of an optimizer.
    fn from_str(text: &str) -> Result<Self, String> {
        let name = |name: &str| name.parse::<OptimizerName>().map_err(|_| name.to_owned());
        match text.split_once('+') {
            Some((policy, critic)) => Ok(Self { policy: name(policy)?, critic: name(critic)? }),
            None => name(text).map(Self::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_word_or_two() {
        let pair = OptimizerNames { policy: OptimizerName::Adam, critic: OptimizerName::Egn };
        assert_eq!("adam+egn".parse(), Ok(pair));
        assert_eq!((pair.to_string(), pair.differ()), ("adam+egn".to_owned(), true));
        assert_eq!("egn+egn".parse(), Ok(OptimizerNames::from(OptimizerName::Egn)));
        assert_eq!("egn+egn".parse::<OptimizerNames>().unwrap().to_string(), "egn");
        assert_eq!("adam+adm".parse::<OptimizerNames>(), Err("adm".to_owned()));
        assert_eq!("+egn".parse::<OptimizerNames>(), Err(String::new()));
        assert_eq!("a+b+c".parse::<OptimizerNames>(), Err("a".to_owned()));
    }
}
