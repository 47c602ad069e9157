//! Our derivatives against candle's autograd, which shares no code with them.

use std::f64::consts::FRAC_1_SQRT_2;

use crate::kinds::{N_NETWORKS, Sizes, distance, network, norm};
use crate::setting::{N_LOSSES, Setting};
use candle_core::{D, DType, Device, Tensor, Var};
use egn_solver::{
    Activation, Convolution, Dense, Kernel, Layer, LayerNorm, NetworkProblem, Problem, SolverError, loss::PolicySample,
};

/// Outputs and gradients against candle's autograd, for every kind of network and every loss that
/// candle's operations can express.
#[test]
fn gradients_equal_autograd() -> Result<(), SolverError> {
    let sizes = Sizes { n_inputs: 4, hidden: 7, n_outputs: 3, extra: 2 };
    for network in (0..N_NETWORKS).flat_map(|kind| Activation::ALL.map(|activation| network(kind, sizes, activation))) {
        let setting = Setting::draw(network.clone(), 9, 11);
        let params = Var::new(&*setting.params, &Device::Cpu)?;
        for which in 0..N_LOSSES {
            let outputs = autograd_forward(&setting, params.as_tensor())?;
            let expected = outputs.flatten_all()?.to_vec1::<f64>()?;
            let error = distance(&setting.model().forward().values, &expected);
            assert!(error < 1e-12, "{network}: outputs off by {error:e}");
            let loss = autograd_loss(&setting, which, &outputs)?;
            let gradients = loss.backward()?;
            let expected = gradients.get(&params).expect("the loss depends on θ").to_vec1::<f64>()?;
            let mut model = setting.model();
            let mut gradient = vec![0.0; expected.len()];
            setting.with_loss(which, |ours| {
                let value = NetworkProblem::new(&mut model, ours).gradient(&mut gradient).unwrap();
                let theirs = loss.to_scalar::<f64>().unwrap();
                assert!((value - theirs).abs() < 1e-12, "{network}, loss {which}: {value} against {theirs}");
            });
            let error = distance(&gradient, &expected);
            assert!(error < 1e-12 * (1.0 + norm(&expected)), "{network}, loss {which}: gradient off by {error:e}");
        }
    }
    Ok(())
}

/// A convolution as a sum over the cells of its kernel, (b, positions, filters). (The derivative of
/// candle's own `conv2d` fails where the stride leaves different remainders in rows and columns.)
fn correlate(convolution: &Convolution, h: &Tensor, weight: &Tensor) -> candle_core::Result<Tensor> {
    let Convolution { image, kernel: Kernel { filters, size, stride, padding }, .. } = *convolution;
    let (b, output) = (h.dim(0)?, convolution.output());
    let images = h.reshape((b, image.height, image.width, image.channels))?;
    let images = images.pad_with_zeros(1, padding, padding)?.pad_with_zeros(2, padding, padding)?;
    let along = |n: usize, first: usize| Tensor::from_iter((0..n).map(|i| (i * stride + first) as u32), &Device::Cpu);
    let mut sum = Tensor::zeros((b, output.height * output.width, filters), DType::F64, &Device::Cpu)?;
    for (row, column) in (0..size).flat_map(|row| (0..size).map(move |column| (row, column))) {
        let cells = images.index_select(&along(output.height, row)?, 1)?;
        let cells = cells.index_select(&along(output.width, column)?, 2)?.reshape((b, (), image.channels))?;
        let part = weight.narrow(0, (row * size + column) * image.channels, image.channels)?;
        sum = (sum + cells.broadcast_matmul(&part)?)?;
    }
    Ok(sum)
}

fn autograd_forward(setting: &Setting, params: &Tensor) -> candle_core::Result<Tensor> {
    let (network, b) = (&setting.network, setting.batch());
    let part = |range: std::ops::Range<usize>| params.narrow(0, range.start, range.len());
    let with_bias = |h: Tensor, dense: &Dense| {
        if dense.has_bias { h.broadcast_add(&part(dense.bias())?) } else { Ok(h) }
    };
    let mut h = setting.inputs();
    let mut taken = Vec::new();
    for layer in network.layers() {
        taken.push(h.clone());
        h = match layer {
            Layer::Dense(dense) => {
                let weight = part(dense.weight())?.reshape((dense.n_inputs, dense.n_outputs))?;
                with_bias(h.matmul(&weight)?, dense)?
            }
            Layer::Convolution(convolution) => {
                let filters = &convolution.filters;
                let weight = part(filters.weight())?.reshape((filters.n_inputs, filters.n_outputs))?;
                with_bias(correlate(convolution, &h, &weight)?, filters)?.reshape((b, ()))?
            }
            Layer::LayerNorm(norm) => {
                let centered = h.broadcast_sub(&h.mean_keepdim(1)?)?;
                let variance = centered.sqr()?.mean_keepdim(1)?;
                let normalized = centered.broadcast_div(&(variance + LayerNorm::EPSILON)?.sqrt()?)?;
                normalized.broadcast_mul(&part(norm.scale())?)?.broadcast_add(&part(norm.shift())?)?
            }
            Layer::Skip(skip) => (h + &taken[skip.start])?,
            Layer::Dueling(dueling) => {
                let advantages = h.narrow(1, 1, dueling.n_outputs)?;
                advantages.broadcast_sub(&advantages.mean_keepdim(1)?)?.broadcast_add(&h.narrow(1, 0, 1)?)?
            }
            Layer::Products(products) => {
                let n = products.n_inputs;
                let square = h.reshape((b, n, 1))?.broadcast_mul(&h.reshape((b, 1, n))?)?.reshape((b, n * n))?;
                let column = |(i, j): (usize, usize)| {
                    square.narrow(1, i * n + j, 1)?.affine(if i == j { 1.0 } else { 2.0 }, 0.0)
                };
                Tensor::cat(&products.pairs().map(column).collect::<Result<Vec<_>, _>>()?, 1)?
            }
        };
        h = match layer.activation() {
            Activation::Identity => h,
            Activation::Tanh => h.tanh()?,
            Activation::Relu => h.relu()?,
            Activation::Silu => (&h * (h.neg()?.exp()? + 1.0)?.recip()?)?,
            Activation::Gelu => (&h * ((&h * FRAC_1_SQRT_2)?.erf()? + 1.0)?)?.affine(0.5, 0.0)?,
            Activation::Elu => h.elu(1.0)?,
        };
    }
    let free = network.free_outputs();
    if free.is_empty() {
        return Ok(h);
    }
    let n = free.len();
    Tensor::cat(&[h, part(free)?.reshape((1, n))?.broadcast_as((b, n))?], 1)
}

fn autograd_loss(setting: &Setting, which: usize, outputs: &Tensor) -> candle_core::Result<Tensor> {
    let (b, c) = (setting.batch(), setting.network.n_outputs());
    let vector = |values: &[f64]| Tensor::from_slice(values, b, &Device::Cpu);
    let matrix = |values: &[f64]| Tensor::from_slice(values, (b, c), &Device::Cpu);
    let index = Tensor::from_slice(&setting.actions, (b, 1), &Device::Cpu)?;
    let chosen = |of: &Tensor| of.contiguous()?.gather(&index, 1)?.squeeze(1);
    let log_p = {
        let largest = outputs.max_keepdim(D::Minus1)?.detach();
        let shifted = outputs.broadcast_sub(&largest)?;
        shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?
    };
    let weights = vector(&setting.weights)?;
    let error = (chosen(outputs)? - vector(&setting.chosen_targets)?)?;
    // Weighted losses are sample weights times others; a sampled curvature changes no value.
    let (which, weighted) = match which {
        7..=9 => ([0, 4, 6][which - 7], true),
        11 | 12 => ([0, 4][which - 11], false),
        _ => (which, false),
    };
    let terms = match which {
        0 => ((outputs - matrix(&setting.targets)?)?.sqr()? * 0.5)?,
        1 => (error.sqr()? * 0.5)?,
        2 => (&weights * (error.sqr()? * 0.5)?)?,
        3 => {
            let size = error.abs()?;
            let inside = size.le(0.7)?.to_dtype(DType::F64)?;
            let outside = (1.0 - &inside)?;
            let linear = ((size - 0.35)? * 0.7)?;
            (&weights * ((inside * (error.sqr()? * 0.5)?)? + (outside * linear)?)?)?
        }
        4 => chosen(&log_p)?.neg()?,
        5 => {
            let softplus = outputs.exp()?.affine(1.0, 1.0)?.log()?;
            (softplus - (matrix(&setting.probabilities)? * outputs)?)?
        }
        13 => {
            let n = setting.n_atoms();
            let exponentials = outputs.reshape((b, c / n, n))?.exp()?;
            let log_p = exponentials.broadcast_div(&exponentials.sum_keepdim(2)?)?.log()?.reshape((b, c))?;
            let mut targets = vec![0.0; b * c];
            let rows = targets.chunks_exact_mut(c).zip(setting.atom_actions());
            for ((row, action), target) in rows.zip(setting.atom_targets().chunks_exact(n)) {
                row[action as usize * n..][..n].copy_from_slice(target);
            }
            (matrix(&targets)? * log_p)?.sum(1)?.neg()?
        }
        10 => {
            let moved = (outputs - matrix(&setting.targets)?)?;
            let quadratic = (moved.sqr()? * matrix(&setting.model_curvature())?)?;
            ((matrix(&setting.probabilities)? * moved)? + (quadratic * 0.5)?)?.sum(1)?.affine(1.0, 0.25)?
        }
        _ => {
            let column = |of: fn(&PolicySample) -> f64| vector(&setting.samples.iter().map(of).collect::<Vec<_>>());
            let ratio = (chosen(&log_p)? - column(|s| s.old_log_prob)?)?.exp()?;
            let entropy = (log_p.exp()? * &log_p)?.sum(1)?.neg()?;
            ((ratio * column(|s| s.advantage)?)? + (entropy * 0.1)?)?.neg()?
        }
    };
    let terms = if weighted { (terms.reshape((b, ()))?.sum(1)? * weights)? } else { terms };
    terms.sum_all()? / b as f64
}
