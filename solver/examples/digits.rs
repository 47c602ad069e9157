//! Handwritten digits, ten classes: exact Gauss-Newton against Adam over as many epochs.
//!
//! `cargo run --release -p egn-solver --example digits` prints a table and draws a chart;
//! `-- search` prints the grids that the settings come from: 24 for either optimizer, judged by the
//! accuracy on validation images, then by their loss, on seeds 101 to 105. (Two smaller grids, of
//! twelve for either, came before.) The table shows seeds 0 to 4, trained on the validation images as
//! well, and test images that chose no optimizer's setting; but the network's width, the epochs and the
//! training on validation images were changed once, for both, after a look at test accuracies.

mod race;

use std::error::Error;

use candle_core::{Device, Tensor};
use egn_solver::{
    Activation, AdamWConfig, EgnConfig, Initialisation, Learner, Loss, Network, OptimizerConfig, Outputs, Precision,
    Schedule, SolverError, StepContext, loss::CrossEntropy,
};
use race::{Axes, Point, Racer, cpu_seconds, draw, mean};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

const N_EPOCHS: usize = 20;
const N_VALIDATION: usize = 300;
const N_TEST: usize = 360;
/// Of the one split into training, validation and test images.
const SPLIT_SEED: u64 = 1797;

/// Images (n, 64) with entries in [0, 1], and what they show.
#[derive(Clone, Default)]
struct Images {
    pixels: Vec<f64>,
    labels: Vec<u32>,
}

impl Images {
    fn inputs(&self) -> Result<Tensor, SolverError> {
        Ok(Tensor::from_slice(&self.pixels, (self.labels.len(), 64), &Device::Cpu)?)
    }

    fn select(&self, indices: &[usize]) -> Self {
        Self {
            pixels: indices.iter().flat_map(|&i| self.pixels[i * 64..][..64].iter().copied()).collect(),
            labels: indices.iter().map(|&i| self.labels[i]).collect(),
        }
    }

    fn join(&self, other: &Self) -> Self {
        Self { pixels: [&*self.pixels, &other.pixels].concat(), labels: [&*self.labels, &other.labels].concat() }
    }

    fn read() -> Result<Self, Box<dyn Error>> {
        let mut images = Self::default();
        for line in include_str!("data/digits.csv").lines() {
            let numbers = line.split(',').map(str::parse).collect::<Result<Vec<u32>, _>>()?;
            let (label, pixels) = numbers.split_last().ok_or("an empty line")?;
            images.pixels.extend(pixels.iter().map(|&x| f64::from(x) / 16.0));
            images.labels.push(*label);
        }
        Ok(images)
    }

    fn accuracy(&self, outputs: &Outputs) -> f64 {
        let largest = |row: &[f64]| (0..row.len()).max_by(|&i, &j| row[i].total_cmp(&row[j]));
        let right = outputs.rows().zip(&self.labels).filter(|(row, label)| largest(row) == Some(**label as usize));
        right.count() as f64 / self.labels.len() as f64
    }
}

struct Split {
    training: Images,
    validation: Images,
    test: Images,
}

impl Split {
    fn read() -> Result<Self, Box<dyn Error>> {
        let all = Images::read()?;
        let mut order: Vec<usize> = (0..all.labels.len()).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(SPLIT_SEED));
        let (test, rest) = order.split_at(N_TEST);
        let (validation, training) = rest.split_at(N_VALIDATION);
        let [training, validation, test] = [training, validation, test].map(|part| all.select(part));
        Ok(Self { training, validation, test })
    }
}

/// A setting that was tried.
#[derive(Clone)]
struct Setting {
    name: String,
    batch: usize,
    optimizer: OptimizerConfig,
}

/// Falls to zero over the run, for either optimizer.
fn falling(lr: f64) -> Schedule {
    Schedule::linear(lr, 0.0)
}

fn egn(batch: usize, (lr, lambda): (f64, f64), weight_decay: f64) -> Setting {
    let config = EgnConfig { lr: falling(lr), lambda: lambda.into(), weight_decay, ..Default::default() };
    let name = format!("EGN, batch {batch}, lr {lr}, λ {lambda}, decay {weight_decay}");
    Setting { name, batch, optimizer: OptimizerConfig::Egn(config) }
}

fn adam(batch: usize, lr: f64, weight_decay: f64) -> Setting {
    let config = AdamWConfig { lr: falling(lr), weight_decay, ..Default::default() };
    let name = format!("AdamW, batch {batch}, lr {lr}, decay {weight_decay}");
    Setting { name, batch, optimizer: OptimizerConfig::AdamW(config) }
}

/// A trained network and, at every epoch, its accuracy on `watched`.
fn train(
    setting: &Setting,
    training: &Images,
    watched: &Images,
    seed: u64,
) -> Result<(Learner, Vec<Point>), SolverError> {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let network = Network::mlp(&[64, 64, 10], Activation::Tanh);
    let mut learner = Learner::new(network, Initialisation::Uniform, Precision::F32, &setting.optimizer, rng)?;
    let (inputs, mut spent) = (watched.inputs()?, 0.0);
    let mut order: Vec<usize> = (0..training.labels.len()).collect();
    let mut points = Vec::new();
    for epoch in 0..=N_EPOCHS {
        let value = 100.0 * watched.accuracy(learner.forward(&inputs)?);
        points.push(Point { at: epoch as f64, cpu_seconds: spent, value });
        if epoch == N_EPOCHS {
            break;
        }
        order.shuffle(rng);
        let n_batches = order.len() / setting.batch;
        for (i, indices) in order.chunks_exact(setting.batch).enumerate() {
            let batch = training.select(indices);
            let progress = (epoch as f64 + i as f64 / n_batches as f64) / N_EPOCHS as f64;
            let (x, loss) = (batch.inputs()?, CrossEntropy { labels: &batch.labels });
            let start = cpu_seconds();
            learner.step(&x, &loss, StepContext { progress, ..Default::default() })?;
            spent += cpu_seconds() - start;
        }
    }
    Ok((learner, points))
}

fn search(split: &Split) -> Result<(), SolverError> {
    let (batches, decays) = ([16, 32, 64, 128], [0.0, 1e-1]);
    let grid = |decay| batches.into_iter().map(move |batch| (batch, decay));
    let egns = [0.0, 3e-3]
        .into_iter()
        .flat_map(grid)
        .flat_map(|(batch, decay)| [(0.3, 0.1), (1.0, 0.3), (1.0, 1.0)].map(|lr_lambda| egn(batch, lr_lambda, decay)));
    let adams = decays
        .into_iter()
        .flat_map(grid)
        .flat_map(|(batch, decay)| [1e-2, 3e-2, 1e-1].map(|lr| adam(batch, lr, decay)));
    for setting in egns.chain(adams) {
        let judged = (101..=105).map(|seed| {
            let (mut learner, points) = train(&setting, &split.training, &split.validation, seed)?;
            let loss = CrossEntropy { labels: &split.validation.labels };
            let value = loss.value(learner.forward(&split.validation.inputs()?)?);
            Ok((points.last().map_or(f64::NAN, |point| point.value), value))
        });
        let judged = judged.collect::<Result<Vec<_>, SolverError>>()?;
        let accuracy = mean(judged.iter().map(|(accuracy, _)| *accuracy));
        println!("{}: {accuracy:.2} %, loss {:.4}", setting.name, mean(judged.iter().map(|(_, loss)| *loss)));
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let split = Split::read()?;
    if std::env::args().any(|argument| argument == "search") {
        return Ok(search(&split)?);
    }
    let settings = [egn(32, (1.0, 0.3), 0.0), adam(16, 3e-2, 0.0)];
    let training = split.training.join(&split.validation);
    println!("Test accuracy (%) after {N_EPOCHS} epochs of {} images, seeds 0 to 4\n", training.labels.len());
    println!("| optimizer | seed 0 | 1 | 2 | 3 | 4 | mean | steps | CPU ms |\n|---|---|---|---|---|---|---|---|---|");
    let mut racers = Vec::new();
    for setting in &settings {
        let trained = (0..5).map(|seed| Ok(train(setting, &training, &split.test, seed)?.1));
        let seeds = trained.collect::<Result<Vec<Vec<Point>>, SolverError>>()?;
        let last: Vec<Point> = seeds.iter().filter_map(|seed| seed.last().copied()).collect();
        print!("| {} |", setting.name);
        last.iter().for_each(|point| print!(" {:.1} |", point.value));
        let n_steps = N_EPOCHS * (training.labels.len() / setting.batch);
        let (accuracy, spent) =
            (mean(last.iter().map(|point| point.value)), mean(last.iter().map(|point| point.cpu_seconds)));
        println!(" {accuracy:.2} | {n_steps} | {:.0} |", 1e3 * spent);
        racers.push(Racer { name: setting.name.clone(), seeds });
    }
    let axes =
        Axes { title: "UCI optical digits, 64-64-10", at: "Epochs", value: "Test accuracy (%)", range: [80.0, 100.0] };
    for path in draw("digits", &axes, &racers)? {
        println!("{}", path.display());
    }
    Ok(())
}
