//! First-order optimizers against torch, step by step: `tests/data/torch/optimizers.py`.

use crate::recorded::{distance, norm, numbers, read, repository_copy};
use candle_core::{Device, Tensor};
use egn_solver::{
    Activation, AdamConfig, AdamWConfig, Learner, LionConfig, Network, OptimizerConfig, RmsPropConfig,
    ScheduleFreeConfig, SgdConfig, StepContext, loss::SquaredError,
};
use serde_json::Value;

fn optimizer(run: &Value) -> OptimizerConfig {
    let settings = &run["settings"];
    let of = |key: &str, default: f64| settings[key].as_f64().unwrap_or(default);
    let beta = |i: usize, default: f64| settings["betas"][i].as_f64().unwrap_or(default);
    let (lr, max_grad_norm) = (of("lr", f64::NAN).into(), run["clip"].as_f64());
    let (beta1, beta2, eps, momentum) = (beta(0, 0.9), beta(1, 0.999), of("eps", 1e-8), of("momentum", 0.0));
    match run["optimizer"].as_str().unwrap() {
        "sgd" => {
            let nesterov = settings["nesterov"].as_bool() == Some(true);
            OptimizerConfig::Sgd(SgdConfig { lr, momentum, nesterov, max_grad_norm })
        }
        "adam" => OptimizerConfig::Adam(AdamConfig { lr, beta1, beta2, eps, max_grad_norm }),
        "adamw" => {
            let weight_decay = of("weight_decay", AdamWConfig::default().weight_decay);
            OptimizerConfig::AdamW(AdamWConfig {
                adam: AdamConfig { lr, beta1, beta2, eps, max_grad_norm },
                weight_decay,
            })
        }
        "rmsprop" => {
            let alpha = of("alpha", 0.99);
            OptimizerConfig::RmsProp(RmsPropConfig { lr, alpha, eps, momentum, max_grad_norm })
        }
        "lion" => {
            let (beta2, weight_decay) = (beta(1, LionConfig::default().beta2), of("weight_decay", 0.0));
            OptimizerConfig::Lion(LionConfig { lr, beta1, beta2, weight_decay, max_grad_norm })
        }
        "schedule-free" => {
            let warmup_steps = of("warmup_steps", 0.0) as u32;
            let weight_decay = of("weight_decay", 0.0);
            let config = ScheduleFreeConfig { lr, beta1, beta2, eps, weight_decay, warmup_steps, max_grad_norm };
            OptimizerConfig::ScheduleFree(config)
        }
        other => panic!("unknown optimizer {other}"),
    }
}

#[test]
fn every_step_is_torchs() {
    let file = read(&repository_copy().join("torch/optimizers.json"));
    let inputs = Tensor::from_vec(numbers(&file["x"]), (6, 3), &Device::Cpu).unwrap();
    let (targets, start) = (numbers(&file["y"]), numbers(&file["start"]));
    for run in file["runs"].as_array().unwrap() {
        let network = Network::mlp(&[3, 2], Activation::Identity);
        let params = Tensor::new(&*start, &Device::Cpu).unwrap();
        let mut learner = Learner::from_params(network, params, &optimizer(run)).unwrap();
        for (i, expected) in run["steps"].as_array().unwrap().iter().enumerate() {
            let expected = numbers(expected);
            learner.step(&inputs, &SquaredError { targets: &targets }, StepContext::default()).unwrap();
            let params = learner.snapshot().parameters();
            let error = distance(&params, &expected) / norm(&expected);
            assert!(error < 1e-12, "{} {} step {i}: off by {error:e}", run["optimizer"], run["settings"]);
        }
    }
}
