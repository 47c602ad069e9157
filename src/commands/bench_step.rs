//! `egn bench-step`: one optimizer step, timed.

use std::io::{Write, stdout};

use anyhow::{Result, anyhow};
use egn_solver::{
    Network, OptimizerConfig, OptimizerName,
    bench_step::{BenchLoss, median_step_seconds},
};
use egn_train::config::suggest::did_you_mean;

use crate::{cli::BenchStepArgs, exit_code::SUCCESS, usage::Usage};

pub(super) fn bench_step(args: &BenchStepArgs) -> Result<u8> {
    let optimizers: Vec<String> = OptimizerName::ALL.iter().map(ToString::to_string).collect();
    let accepted: Vec<&str> = optimizers.iter().map(String::as_str).collect();
    let optimizer = match args.method.parse::<OptimizerName>() {
        Ok(name) => OptimizerConfig::from(name),
        Err(error) => {
            let hint = did_you_mean(&args.method, &accepted);
            return Err(anyhow!(Usage(format!("{error}; accepted: {}{hint}", accepted.join(", ")))));
        }
    };
    let network = relu_network(&args.net)?;
    let loss = args.loss.parse().map_err(|message: String| anyhow!(Usage(message)))?;
    if loss == BenchLoss::Ce && network.n_outputs() < 2 {
        return Err(anyhow!(Usage(format!(
            "loss ce needs a network with 2 outputs or more, and {} has one",
            args.net
        ))));
    }
    let seconds = median_step_seconds(&network, args.batch as usize, loss, &optimizer)?;
    writeln!(stdout(), "{seconds:e}")?;
    Ok(SUCCESS)
}

/// A ReLU network, read from its text.
pub(crate) fn relu_network(text: &str) -> Result<Network> {
    Network::parse(text, egn_solver::Activation::Relu).map_err(|message| anyhow!(Usage(message)))
}
