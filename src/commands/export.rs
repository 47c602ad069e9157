//! `egn export`: a policy for other programs to run.

use std::io::{Write, stderr};

use anyhow::Result;
use egn_agents::Spaces;
use egn_solver::Layer;
use egn_train::{formats::onnx, record::writer::write_whole};

use crate::{
    cli::{ExportArgs, ExportFormat},
    commands::{open_policy::open_policy, out_file::check_file_writable},
    exit_code::SUCCESS,
};

pub(super) fn export(args: &ExportArgs) -> Result<u8> {
    let saved = open_policy(&args.record, args.which, args.python.as_deref())?;
    check_file_writable(&args.out)?;
    let network = &saved.trained.network;
    let spaces = Spaces { n_observations: saved.env.observation_space.len(), actions: &saved.env.action_space };
    let rule = saved.config.agent.settings()?.actor(spaces)?.greedy;
    let normalizer = saved.trained.normalizer.as_ref();
    let about = [
        ("env", saved.config.run.env.to_string()),
        ("agent", saved.config.agent.to_string()),
        ("optimizer", saved.config.optimizers().to_string()),
        ("seed", saved.config.run.seed.to_string()),
        ("network", network.network().to_string()),
    ];
    let bytes = match args.format {
        ExportFormat::Onnx => onnx::model(network, normalizer, &rule, &about),
        ExportFormat::Safetensors => {
            let mut policy: serde_json::Map<String, serde_json::Value> =
                about.iter().map(|(key, text)| ((*key).to_owned(), text.as_str().into())).collect();
            // One for each `<l>.weight`.
            let layers = network.network().layers().iter().filter(|layer| !layer.blocks().is_empty());
            let activations: Vec<_> = layers.map(Layer::activation).collect();
            policy.insert("activations".into(), serde_json::to_value(activations)?);
            if let Some(normalizer) = normalizer {
                let (mean, deviation) = (&normalizer.moments.mean, normalizer.deviations());
                // (x − mean) / deviation, within ±clip, is what the network takes.
                let scaled = serde_json::json!({"mean": mean, "deviation": deviation, "clip": normalizer.clip});
                policy.insert("observation".into(), scaled);
            }
            policy.insert("greedy".into(), serde_json::to_value(&rule)?);
            network.to_safetensors(Some(("policy", serde_json::Value::Object(policy).to_string())))?
        }
    };
    write_whole(&args.out, &bytes)?;
    let _ = writeln!(stderr(), "wrote {}: {} of {}", args.out.display(), about[4].1, args.record.display());
    Ok(SUCCESS)
}
