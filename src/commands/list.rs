//! What can be trained, as `egn list` shows it.

use std::io::{self, Write};

use egn_agents::AgentName;
use egn_envs::{EnvId, EnvSpec, Mujoco, MujocoError, Space};
use egn_solver::{OptimizerName, Vectors};
use egn_train::config::env_name::GYMNASIUM;

use crate::cli::{ListArgs, Listing};

/// Letters of a source that are shown; the sources of LQR problems are sentences.
const SOURCE_WIDTH: usize = 60;

/// Writes a list, one line each.
///
/// # Errors
/// When `out` cannot be written.
pub fn list(args: &ListArgs, out: &mut dyn Write) -> io::Result<()> {
    match args.what {
        Listing::Agents => {
            for name in AgentName::ALL {
                writeln!(out, "{name:10} {}", name.summary())?;
            }
        }
        Listing::Optimizers => {
            for &name in OptimizerName::ALL {
                writeln!(out, "{name:13} {}", name.summary())?;
            }
        }
        Listing::Vectors => {
            for vectors in Vectors::ALL.into_iter().filter(|vectors| vectors.are_available()) {
                let mark = if vectors == Vectors::in_use() { "in use" } else { "" };
                writeln!(out, "{}", format!("{:10} {mark}", vectors.to_string()).trim_end())?;
            }
        }
        Listing::Envs => list_envs(args.filter.as_deref(), &Mujoco::find(None), out)?,
    }
    Ok(())
}

/// Games, MuJoCo's tasks and whether they can be played, plants, then how to come by all others;
/// plants are counted where nothing asks for them.
fn list_envs(filter: Option<&str>, mujoco: &Result<Mujoco, MujocoError>, out: &mut dyn Write) -> io::Result<()> {
    let row = |out: &mut dyn Write, [id, observation, actions, limit, threshold, source]: [&str; 6]| {
        writeln!(out, "{id:35} {observation:>11} {actions:>10} {limit:>10} {threshold:>9}  {source}")
    };
    row(out, ["id", "observation", "actions", "time limit", "threshold", "source"])?;
    let is_mujoco = |id: &EnvId| matches!(id, EnvId::Mujoco(_));
    let wanted = filter.unwrap_or_default().to_lowercase();
    let shown = EnvId::ALL.iter().filter(|id| id.name().to_lowercase().contains(&wanted));
    let (plants, others): (Vec<EnvId>, Vec<EnvId>) = shown.partition(|id| matches!(id, EnvId::Lqr(_)));
    let (robots, games): (Vec<EnvId>, Vec<EnvId>) = others.into_iter().partition(is_mujoco);
    let (plants, n_plants) = if filter.is_some() { (plants, 0) } else { (Vec::new(), plants.len()) };
    for ids in [games, robots, plants].into_iter().filter(|ids| !ids.is_empty()) {
        for EnvSpec { id, max_episode_steps, reward_threshold, observation_space, action_space, source, .. } in
            ids.iter().map(|id| id.spec())
        {
            let number = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
            let actions = match &action_space {
                Space::Discrete { n } => format!("{n} choices"),
                Space::Box { low, .. } if low.len() == 1 => "1 number".to_owned(),
                Space::Box { low, .. } => format!("{} numbers", low.len()),
            };
            let limit = number(max_episode_steps.map(|n| n.to_string()));
            let threshold = number(reward_threshold.map(rounded));
            let observation = observation_space.len().to_string();
            row(out, [id, &observation, &actions, &limit, &threshold, &shortened(source)])?;
        }
        if ids.iter().any(is_mujoco) {
            match mujoco {
                Ok(found) => writeln!(out, "  by MuJoCo {}: {}", found.version(), found.path().display())?,
                Err(error) => writeln!(out, "  NOT HERE YET: {error}")?,
            }
        }
        writeln!(out)?;
    }
    if filter.is_some() {
        return Ok(());
    }
    writeln!(out, "{:35} {n_plants} linear plants with quadratic cost: egn list envs --filter LQR\n", "LQR/<name>")?;
    writeln!(
        out,
        "{:35} any environment of Gymnasium, run by Python in child processes: needs gymnasium\n\
         {:35} in the interpreter of --python, EGN_PYTHON or python3",
        format!("{GYMNASIUM}<id>"),
        ""
    )
}

/// Two decimals where there are any.
fn rounded(threshold: f64) -> String {
    if threshold.fract() == 0.0 { threshold.to_string() } else { format!("{threshold:.2}") }
}

fn shortened(source: &str) -> String {
    match source.char_indices().nth(SOURCE_WIDTH) {
        Some((end, _)) => format!("{}…", source[..end].trim_end()),
        None => source.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_environment_has_a_line_of_readable_width() {
        let listed = |filter| {
            let mut text = Vec::new();
            let absent = MujocoError::Simulation("absent".to_owned());
            list_envs(filter, &Err(absent), &mut text).expect("a vector takes everything");
            String::from_utf8(text).expect("text")
        };
        let plants = listed(Some("lqr"));
        assert_eq!(plants.lines().filter(|line| line.starts_with("LQR/")).count(), 49);
        assert!(!plants.lines().any(|line| line.starts_with("CartPole")));
        let text = listed(None);
        assert!(text.contains("49 linear plants") && text.lines().count() < 40, "{text}");
        let all = text.clone() + &plants;
        for id in EnvId::ALL {
            assert!(all.lines().any(|line| line.starts_with(&format!("{id} "))), "{id}");
        }
        assert!(text.contains("gymnasium:<id>") && text.contains("NOT HERE YET: MuJoCo failed: absent"));
        assert!(all.lines().all(|line| line.chars().count() <= 145), "{all}");
    }
}
