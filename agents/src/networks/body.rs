//! The torso of a network, between observations and outputs: convolutions, if any, and hidden
//! layers.

use egn_solver::{Activation, Image, Inputs, Kernel, Network, SettingError, require};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{error::AgentError, networks::layers::LayerSettings};

/// Convolutions that see an observation as an image, before the hidden layers.
///
/// The defaults of `size` and `stride` are those of Young and Tian (2019), arXiv 1903.03176, whose
/// network for MinAtar has 16 filters and a hidden layer of 128.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Convolutions {
    /// Rows, columns and channels of an observation, the channel being its fastest
    /// index, each from 1 to 16384.
    pub image: [usize; 3],
    /// Filters of each convolution, first to last, each 1 or more.
    pub filters: Vec<usize>,
    /// Rows and columns of a patch, 1 or more, within the image.
    #[serde(default = "three")]
    pub size: usize,
    /// Cells from one patch to the next, 1 or more.
    #[serde(default = "one")]
    pub stride: usize,
}

fn three() -> usize {
    3
}

fn one() -> usize {
    1
}

impl Convolutions {
    /// Whether every patch fits into its image.
    ///
    /// # Errors
    /// The first setting that is not in its range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let are_sizes = self.image.iter().all(|n| (1..=Image::MAX_SIZE).contains(n));
        require(are_sizes, "convolutions.image", "three numbers from 1 to 16384", self.image)?;
        require(self.stride > 0, "convolutions.stride", "1 or more", self.stride)?;
        let mut image = self.image();
        for kernel in self.kernels() {
            require(kernel.fits(image), "convolutions", "patches within the image, with positive filters", self)?;
            image = kernel.over(image);
        }
        Ok(())
    }

    fn image(&self) -> Image {
        let [height, width, channels] = self.image;
        Image { height, width, channels }
    }

    fn kernels(&self) -> Vec<Kernel> {
        let kernel = |&filters| Kernel { filters, size: self.size, stride: self.stride, padding: 0 };
        self.filters.iter().map(kernel).collect()
    }

    /// Entries of what comes out.
    fn n_outputs(&self) -> usize {
        self.kernels().iter().fold(self.image(), |image, kernel| kernel.over(image)).len()
    }
}

/// The settings of a network's torso.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    /// Convolutions before the hidden layers.
    pub convolutions: Option<&'a Convolutions>,
    /// Widths of the hidden layers.
    pub hidden: &'a [usize],
    /// Activation of convolutions and hidden layers alike, unless `layers` has another.
    pub activation: Activation,
    /// What stands between the hidden layers.
    pub layers: LayerSettings,
}

impl Body<'_> {
    /// The whole network, torso and outputs.
    pub fn network(self, n_observations: usize, n_outputs: usize) -> Network {
        let kernels = self.convolutions.map(Convolutions::kernels).unwrap_or_default();
        let inputs = match self.convolutions {
            None => Inputs::Row(n_observations),
            Some(see) => Inputs::Image(see.image(), &kernels),
        };
        let activation = self.layers.activation.unwrap_or(self.activation);
        Network::new(inputs, &self.layers.parts(self.hidden), n_outputs, activation)
    }

    /// Widths of what each layer puts out, from observations to outputs.
    pub(crate) fn widths(self, n_observations: usize, n_outputs: usize) -> Vec<usize> {
        let image = self.convolutions.map(Convolutions::n_outputs);
        let inside = image.into_iter().chain(self.layers.widths(self.hidden));
        [n_observations].into_iter().chain(inside).chain([n_outputs]).collect()
    }

    /// Whether observations are the images that the convolutions are made for.
    ///
    /// # Errors
    /// When they have another number of entries.
    pub(crate) fn check(self, n_observations: usize) -> Result<(), AgentError> {
        match self.convolutions {
            Some(see) if see.image().len() != n_observations => {
                Err(AgentError::Image { image: see.image, n_observations })
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::layers::Normalization;

    #[test]
    fn the_network_of_min_atar_is_that_of_young_and_tian() {
        let see = Convolutions { image: [10, 10, 7], filters: vec![16], size: 3, stride: 1 };
        see.validate().unwrap();
        let layers = LayerSettings::default();
        let body = Body { convolutions: Some(&see), hidden: &[128], activation: Activation::Relu, layers };
        // 16 filters over 3×3×7 with bias, 8×8×16 to 128, 128 to 3.
        assert_eq!(body.network(700, 3).n_params(), (63 + 1) * 16 + (1024 + 1) * 128 + (128 + 1) * 3);
        assert_eq!((see.n_outputs(), body.check(700)), (1024, Ok(())));
        assert!(body.check(400).unwrap_err().to_string().contains("[10, 10, 7]"));
    }

    #[test]
    fn patches_larger_than_what_is_left_are_refused() {
        let mut see = Convolutions { image: [5, 5, 1], filters: vec![4, 4], size: 3, stride: 1 };
        see.validate().unwrap();
        see.filters.push(4);
        assert!(see.validate().unwrap_err().to_string().contains("within the image"));
        see.filters = vec![0];
        assert!(see.validate().is_err());
        // Found by fuzzing: without filters nothing else looks at the image.
        (see.filters, see.image) = (Vec::new(), [5, usize::MAX, 3]);
        assert!(see.validate().unwrap_err().to_string().contains("from 1 to 16384"));
    }

    #[test]
    fn layers_are_what_the_settings_ask_for() {
        let (activation, normalization) = (Some(Activation::Gelu), Some(Normalization::Layer));
        for (residual, text) in [(false, "4-64n-32n-2"), (true, "4-64n-32r-2")] {
            let layers = LayerSettings { activation, normalization, residual };
            let body = Body { convolutions: None, hidden: &[64, 32], activation: Activation::Relu, layers };
            assert_eq!(Ok(body.network(4, 2)), Network::parse(text, Activation::Gelu));
        }
    }
}
