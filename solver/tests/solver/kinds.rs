//! Every kind of network, at random sizes.

use egn_solver::{Activation, Network};

/// Every kind of network, as text with sizes to fill in, at least two outputs each.
///
/// What is normalized is w ≥ 5 wide: two entries normalized are ±1 whatever they were, and the
/// derivative, that little which is left, is known to a few digits only, by whichever route.
const KINDS: [&str; 15] = [
    "{n}-{h}-{c}",
    "{n}-{h}-{h}-{c}+{k}",
    "{n}-{h}-3-dueling",
    "3x4x{n}-{k}k2s1-{h}-{c}",
    "5x4x{k}-{n}k3s2p1-{c}k2s1p1-{h}-3-dueling+1",
    "2x2x{n}-{h}k2s1-{c}",
    "{n}-quadratic+{k}",
    "{n}-quadratic-constant+1",
    "{n}-{c}",
    "{n}-{w}n-{c}",
    "{n}-{w}-{w}n-{w}n-3-dueling+{k}",
    "3x4x{n}-{k}k2s1-{w}n-{c}",
    "{n}-{w}-{k}r-{c}+{k}",
    "{n}-{w}n-{k}r-{w}r-3-dueling",
    "5-{w}r-{w}n-{k}r-{c}",
];

/// How far a step may be off, relatively, before its condition counts: a normalization divides by
/// a deviation that may be small beside its inputs, and loses as many digits.
pub fn tolerance(kind: usize) -> f64 {
    if KINDS[kind].contains("{w}") { 1e-8 } else { 1e-11 }
}

/// How many kinds of network there are.
pub const N_NETWORKS: usize = KINDS.len();

/// How many activations there are.
pub const N_ACTIVATIONS: usize = Activation::ALL.len();

/// Sizes of a random network.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub n_inputs: usize,
    pub hidden: usize,
    pub n_outputs: usize,
    pub extra: usize,
}

/// A network of the given kind.
pub fn network(kind: usize, sizes: Sizes, activation: Activation) -> Network {
    let wide = sizes.hidden + 4;
    let fill =
        [("{w}", wide), ("{n}", sizes.n_inputs), ("{h}", sizes.hidden), ("{c}", sizes.n_outputs), ("{k}", sizes.extra)];
    let text = fill.iter().fold(KINDS[kind].to_owned(), |text, (hole, size)| text.replace(hole, &size.to_string()));
    Network::parse(&text, activation).unwrap()
}

/// ‖a‖.
pub fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// ‖a − b‖.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}
