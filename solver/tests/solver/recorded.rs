//! Recorded Gauss-Newton vectors, as they stand in their JSON files.

use std::{collections::BTreeMap, fs, path::PathBuf};

use candle_core::{Device, Tensor};
use egn_solver::{
    Activation, Loss, Model, Network, Real,
    loss::{BinaryCrossEntropy, ChosenAction, CrossEntropy, SquaredError},
};
use serde_json::Value;

/// The folder with `egn/*.json`: `EGN_GOLDEN`, or the repository's copy.
pub fn folder() -> PathBuf {
    std::env::var_os("EGN_GOLDEN").map_or_else(repository_copy, PathBuf::from)
}

/// The recordings committed with the code.
pub fn repository_copy() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data")
}

/// Every file of `egn/` with the given format, by name.
///
/// # Panics
/// When there is none, or when a file has no format that these tests know.
pub fn files(format: &str) -> BTreeMap<String, Value> {
    let folder = folder().join("egn");
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|x| x == "json"));
    let mut found = BTreeMap::new();
    for path in paths {
        let file = read(&path);
        match file["format"].as_str() {
            Some(known @ ("egn-vectors/1" | "egn-trajectories/1")) => {
                if known == format {
                    found.insert(path.display().to_string(), file);
                }
            }
            other => panic!("{}: unknown format {other:?}", path.display()),
        }
    }
    assert!(!found.is_empty(), "no {format} file in {}", folder.display());
    found
}

/// A JSON file.
pub fn read(path: &PathBuf) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// All numbers of a (nested) array, in order.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap_or_else(|| panic!("{other} is no number"))],
    }
}

/// A file's network.
pub fn network(file: &Value) -> Network {
    let sizes: Vec<usize> = numbers(&file["sizes"]).iter().map(|&n| n as usize).collect();
    let activation = match file["activation"].as_str() {
        Some("tanh") => Activation::Tanh,
        Some("relu") => Activation::Relu,
        other => panic!("unknown activation {other:?}"),
    };
    Network::mlp(&sizes, activation)
}

/// Layers of `w` and `b` as one flat vector: the order of our own parameters.
pub fn flat(layers: &Value) -> Vec<f64> {
    let layers = layers.as_array().expect("layers");
    layers.iter().flat_map(|layer| numbers(&layer["w"]).into_iter().chain(numbers(&layer["b"]))).collect()
}

/// A model in number type `T` that has loaded the inputs.
pub fn model<T: Real>(network: &Network, params: &[f64], x: &[f64]) -> Model<T> {
    let mut model = Model::new(network.clone(), params.iter().map(|&x| T::of(x)).collect());
    let inputs = Tensor::from_slice(x, (x.len() / network.n_inputs(), network.n_inputs()), &Device::Cpu).unwrap();
    model.load(&inputs).unwrap();
    model
}

/// Calls `check` with a recorded loss.
pub fn with_loss<R>(name: &str, targets: &[f64], select: &[f64], check: impl FnOnce(&dyn Loss) -> R) -> R {
    let integers = |values: &[f64]| values.iter().map(|&x| x as u32).collect::<Vec<_>>();
    match name {
        "mse" | "mse_multi" => check(&SquaredError { targets }),
        "mse_selected" => check(&ChosenAction { actions: &integers(select), targets, weights: None, huber: None }),
        "ce" => check(&CrossEntropy { labels: &integers(targets) }),
        "bce" => check(&BinaryCrossEntropy { targets }),
        other => panic!("unknown loss {other:?}"),
    }
}

/// ‖a − b‖.
pub fn distance<T: Real>(a: &[T], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a.to_f64() - b).powi(2)).sum::<f64>().sqrt()
}

/// ‖a‖.
pub fn norm(a: &[f64]) -> f64 {
    a.iter().map(|x| x * x).sum::<f64>().sqrt()
}
