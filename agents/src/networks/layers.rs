//! The settings of what stands between the hidden layers.

use std::fmt;

use egn_solver::{Activation, Hidden, SettingError, require};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, SeqAccess, Unexpected, Visitor},
};

/// Settings of what stands between the hidden layers of every network; in a file they stand among
/// the agent's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LayerSettings {
    /// Non-linearity of convolutions and hidden layers: `tanh`, `relu`, `silu`, `gelu`, `elu` or
    /// `identity`; unset, the one that `hidden` or `convolutions` names.
    pub activation: Option<Activation>,
    /// `layer` gives the outputs of each hidden layer mean 0 and variance 1 in every sample, then a
    /// learned scale and shift, before the activation; `batch` is refused. Unset, nothing is
    /// normalized.
    pub normalization: Option<Normalization>,
    /// Whether each hidden layer but the first is a residual block x + W₂ f(W₁ x̂ + b₁) + b₂ as
    /// wide as the first, f the activation and x̂ normalized; its width in `hidden` is then that of
    /// its inner layer.
    pub residual: bool,
}

/// Reads widths of hidden layers: a list, or one number for one layer.
pub(crate) fn widths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<usize>, D::Error> {
    struct Widths;
    impl<'de> Visitor<'de> for Widths {
        type Value = Vec<usize>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a width or a list of widths")
        }

        fn visit_i64<E: Error>(self, width: i64) -> Result<Vec<usize>, E> {
            usize::try_from(width)
                .map(|width| vec![width])
                .map_err(|_| E::invalid_value(Unexpected::Signed(width), &self))
        }

        fn visit_u64<E: Error>(self, width: u64) -> Result<Vec<usize>, E> {
            Ok(vec![width as usize])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<usize>, A::Error> {
            let mut widths = Vec::new();
            while let Some(width) = list.next_element()? {
                widths.push(width);
            }
            Ok(widths)
        }
    }
    deserializer.deserialize_any(Widths)
}

/// What is normalized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// The outputs of a layer, sample by sample.
    Layer,
    /// Each output of a layer over a batch: asked for it is refused, with the reason.
    Batch,
}

impl LayerSettings {
    /// Checks that every setting is in its range.
    ///
    /// # Errors
    /// The first setting that is not, for hidden layers of these widths.
    pub fn validate(&self, hidden: &[usize]) -> Result<(), SettingError> {
        let has_block = !self.residual || hidden.len() > 1;
        require(has_block, "residual", "false with fewer than two hidden layers", self.residual)?;
        match self.normalization {
            None | Some(Normalization::Layer) => Ok(()),
            Some(Normalization::Batch) => Err(SettingError::new(
                "normalization",
                "layer or unset (batch normalization mixes the samples of a batch, so that no row of a Gauss-Newton \
                 step would be exact)",
                "batch",
            )),
        }
    }

    /// The hidden parts of a network with hidden layers of these widths.
    pub(crate) fn parts(self, widths: &[usize]) -> Vec<Hidden> {
        let part = match self.normalization {
            Some(Normalization::Layer) => Hidden::Normalized,
            None | Some(Normalization::Batch) => Hidden::Dense,
        };
        let (first, others) = widths.split_at(widths.len().min(1));
        let other = if self.residual { Hidden::Residual } else { part };
        first.iter().map(|&width| part(width)).chain(others.iter().map(|&width| other(width))).collect()
    }

    /// Widths of what each dense layer of the hidden parts puts out.
    pub(crate) fn widths(self, hidden: &[usize]) -> Vec<usize> {
        match hidden {
            [first, others @ ..] if self.residual => {
                [*first].into_iter().chain(others.iter().flat_map(|&inner| [inner, *first])).collect()
            }
            _ => hidden.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_normalization_is_refused_with_its_reason() {
        let settings = LayerSettings { normalization: Some(Normalization::Batch), ..LayerSettings::default() };
        let refusal = settings.validate(&[64]).unwrap_err().to_string();
        assert!(refusal.contains("mixes the samples of a batch"), "{refusal}");
        LayerSettings { normalization: Some(Normalization::Layer), ..settings }.validate(&[64]).unwrap();
    }

    #[test]
    fn a_residual_network_of_one_hidden_layer_is_refused() {
        let settings = LayerSettings { residual: true, ..LayerSettings::default() };
        assert!(settings.validate(&[64]).unwrap_err().to_string().contains("fewer than two hidden layers"));
        settings.validate(&[64, 256]).unwrap();
        assert_eq!(settings.widths(&[64, 256, 128]), [64, 256, 64, 128, 64]);
    }
}
