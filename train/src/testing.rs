//! Records for the tests of those who read them.

use crate::record::{
    contents::{Ended, Evaluation, Summary, Threshold},
    layout::SCHEMA,
};

/// A finished run whose clock fields all say `seconds`.
pub fn example_summary(seconds: f64) -> Summary {
    let last = Evaluation { env_steps: 2000, episodes: 100, mean: 0.1 + 0.2, std: 0.0, min: 0.3, max: 0.3 };
    Summary {
        schema: SCHEMA,
        version: "0.1.0".into(),
        env: "CartPole-v1".into(),
        agent: "dqn".into(),
        optimizer: "egn".into(),
        simulator: None,
        seed: 3,
        env_steps: 2000,
        updates: 7,
        updates_failed: 0,
        cpu_seconds: seconds,
        wall_seconds: seconds,
        peak_rss_bytes: seconds as u64,
        ended: Ended::Finished,
        error: None,
        final_evaluation: Some(last),
        best: Some(last),
        threshold: Some(Threshold { threshold_return: 475.0, env_steps: 9, cpu_seconds: seconds }),
        restarted: Vec::new(),
        extended_from: Vec::new(),
    }
}
