//! How a network is written and read: widths joined by dashes.

use std::fmt;

use crate::network::{
    activation::Activation,
    convolution::{Convolution, Image, Kernel},
    hidden::{Hidden, positive},
    layer::Layer,
    network::{Inputs, Network},
};

impl Network {
    /// Reads a network from its text, with the given activation between the layers.
    ///
    /// # Errors
    /// When the text is no network, with examples of what is.
    pub fn parse(text: &str, hidden: Activation) -> Result<Self, String> {
        parse(text, hidden).ok_or_else(|| {
            let is_batch = |part: &str| part.strip_suffix('b').is_some_and(|width| positive(width).is_some());
            if text.split(['-', '+']).any(is_batch) {
                return format!(
                    "'{text}' is not a network: batch normalization mixes the samples of a batch, so that no row of \
                     a Gauss-Newton step would be exact; 64n normalizes the 64 outputs of each sample"
                );
            }
            format!(
                "'{text}' is not a network; give two or more positive widths joined by dashes, such as 4-64-64-2, \
                 4-64n-64n-2 with layer normalization before the activations, 4-64-256r-2 with a residual block of \
                 256 inside, 10x10x4-16k3s1-128-3 for 16 filters of 3 by 3 over an image, 4-64-3-dueling, 4-64-2+2 \
                 with two free outputs, 6-quadratic or 6-quadratic-constant"
            )
        })
    }
}

fn parse(text: &str, activation: Activation) -> Option<Network> {
    let (text, free) = match text.split_once('+') {
        Some((rest, free)) => (rest, positive(free)?),
        None => (text, 0),
    };
    let mut parts: Vec<&str> = text.split('-').collect();
    let dueling = parts.last() == Some(&"dueling");
    parts.truncate(parts.len() - usize::from(dueling));
    let (first, rest) = parts.split_first()?;
    let sides: Vec<usize> = first.split('x').map(positive).collect::<Option<_>>()?;
    let network = match (&sides[..], rest) {
        (&[n], ["quadratic"]) => Network::quadratic(n, false),
        (&[n], ["quadratic", "constant"]) => Network::quadratic(n, true),
        (&[n], [hidden @ .., last]) => Network::new(Inputs::Row(n), &parts_of(hidden)?, positive(last)?, activation),
        (&[height, width, channels], rest) => {
            let n_kernels = rest.iter().take_while(|part| part.contains('k')).count();
            let kernels: Vec<Kernel> =
                rest[..n_kernels].iter().map(|part| Kernel::parse(part)).collect::<Option<_>>()?;
            let (last, hidden) = rest[n_kernels..].split_last()?;
            let hidden = parts_of(hidden)?;
            if let (1.., Some(Hidden::Residual(_))) = (n_kernels, hidden.first()) {
                return None;
            }
            let image = Image { height, width, channels };
            kernels.iter().try_fold(image, |image, kernel| kernel.fits(image).then(|| kernel.over(image)))?;
            Network::new(Inputs::Image(image, &kernels), &hidden, positive(last)?, activation)
        }
        _ => return None,
    };
    if dueling && network.n_outputs() < 2 {
        return None;
    }
    let network = if dueling { network.dueling() } else { network };
    Some(network.with_free_outputs(free))
}

fn parts_of(texts: &[&str]) -> Option<Vec<Hidden>> {
    texts.iter().map(|text| Hidden::parse(text)).collect()
}

impl fmt::Display for Network {
    /// Widths joined by dashes, `4-64-64-2`, with `64n` for a dense layer that is normalized before
    /// its activation and `64r` for a residual block; an image as 10x10x4 and a convolution of 16
    /// filters of 3 by 3 as `16k3s1`, with `p1` for one cell of padding; free outputs at the end,
    /// `4-64-2+2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.layers()[0] {
            Layer::Convolution(Convolution { image: Image { height, width, channels }, .. }) => {
                write!(f, "{height}x{width}x{channels}")?;
            }
            first => write!(f, "{}", first.n_inputs())?,
        }
        let (layers, mut at) = (self.layers(), 0);
        while at < layers.len() {
            at += match (&layers[..at], &layers[at..]) {
                (_, [Layer::LayerNorm(_), Layer::Dense(inner), ..]) => {
                    write!(f, "-{}", Hidden::Residual(inner.n_outputs))?;
                    // The normalization, two dense layers and the sum.
                    4
                }
                (_, [Layer::Dense(dense), Layer::LayerNorm(_), ..]) if self.skip_over(at + 1).is_none() => {
                    write!(f, "-{}", Hidden::Normalized(dense.n_outputs))?;
                    2
                }
                (before, [layer, ..]) => {
                    match (before, layer) {
                        (_, Layer::Products(_)) => write!(f, "-quadratic")?,
                        ([Layer::Products(_)], Layer::Dense(dense)) if dense.has_bias => write!(f, "-constant")?,
                        ([Layer::Products(_)], Layer::Dense(_)) => {}
                        (_, Layer::Dense(dense)) => write!(f, "-{}", Hidden::Dense(dense.n_outputs))?,
                        (_, Layer::Convolution(convolution)) => write!(f, "-{}", convolution.kernel)?,
                        (_, Layer::Dueling(_)) => write!(f, "-dueling")?,
                        // Parts of what is written above.
                        (_, Layer::LayerNorm(_) | Layer::Skip(_)) => {}
                    }
                    1
                }
                (_, []) => break,
            };
        }
        match self.free_outputs().len() {
            0 => Ok(()),
            n => write!(f, "+{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_reads_back_as_it_is_written() {
        for text in [
            "4-64-64-2",
            "8-3",
            "4-64-2+2",
            "4-64n-2",
            "4-64n-32-16n-2+1",
            "4-64n-3-dueling",
            "4-64-32r-2",
            "4-64n-32r-16r-2",
            "4-8r-16n-8r-2+1",
            "10x10x4-16k3s1-128-64r-3",
            "10x10x4-16k3s1-128n-3",
            "4-64-3-dueling",
            "4-64-3-dueling+1",
            "10x10x4-16k3s1-128-3",
            "10x8x2-4k3s2p1-6k2s1-5",
            "2x2x3-4-2",
            "6-quadratic",
            "6-quadratic-constant",
        ] {
            let network = Network::parse(text, Activation::Silu).unwrap();
            // An image that no convolution looks at is a row of numbers.
            let written = text.replace("2x2x3", "12");
            assert_eq!(network.to_string(), written);
            assert_eq!(Network::parse(&written, Activation::Silu), Ok(network));
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "4",
            "4-0-2",
            "4-x",
            "4--2",
            "4-2+",
            "4-2+0",
            "4-1-dueling",
            "dueling",
            "4n-2",
            "4-2n",
            "4-n-2",
            "4-0n-2",
            "4-8nn-2",
            "4-0r-2",
            "4-2r",
            "4-r-2",
            "10x10x4-16k3s1-64r-3",
            "4-64b-2",
            "quadratic",
            "4-quadratic-2",
            "10x10-3",
            "10x10x4-16k3s1",
            "10x10x4-16k3",
            "10x10x4-16k11s1-3",
            "10x10x4-0k3s1-3",
            "10x10x4-16k3s0-3",
            "10x10x4-4294967296k3s4294967296-3",
            "4-18446744073709551615-2",
        ] {
            assert!(Network::parse(text, Activation::Relu).is_err(), "{text}");
        }
    }

    #[test]
    fn batch_normalization_is_refused_with_its_reason() {
        for text in ["4-64b-2", "10x10x4-16k3s1-128b-3"] {
            let refusal = Network::parse(text, Activation::Relu).unwrap_err();
            assert!(refusal.contains("mixes the samples of a batch") && refusal.contains("64n"), "{refusal}");
        }
    }
}
