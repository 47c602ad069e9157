//! What a person is told of environments by name: which there are, and which was meant.

use egn_envs::EnvId;

use crate::config::{env_name::GYMNASIUM, suggest::did_you_mean};

/// What Gymnasium 1.4.0 registers and is not here, so that who forgets the prefix is told.
const OF_GYMNASIUM: &[&str] = &[
    "LunarLander-v3",
    "LunarLanderContinuous-v3",
    "BipedalWalker-v3",
    "BipedalWalkerHardcore-v3",
    "CarRacing-v3",
    "Blackjack-v1",
    "CliffWalking-v1",
    "Taxi-v3",
    "Ant-v4",
    "HalfCheetah-v4",
    "Hopper-v4",
    "Humanoid-v4",
    "HumanoidStandup-v4",
    "InvertedDoublePendulum-v4",
    "InvertedPendulum-v4",
    "Pusher-v4",
    "Reacher-v4",
    "Swimmer-v4",
    "Walker2d-v4",
];

/// The accepted names, in the length of a message.
pub(super) fn accepted_envs() -> String {
    let (plants, others): (Vec<EnvId>, Vec<EnvId>) = EnvId::ALL.iter().partition(|id| matches!(id, EnvId::Lqr(_)));
    let others: Vec<String> = others.iter().map(ToString::to_string).collect();
    format!("{}, LQR/<one of {} plants>, {GYMNASIUM}<id>", others.join(", "), plants.len())
}

/// What a name that is not accepted may have meant.
pub(super) fn nearest_env(name: &str) -> String {
    if OF_GYMNASIUM.contains(&name) {
        return format!("; Python runs it as '{GYMNASIUM}{name}'");
    }
    let of_gymnasium = OF_GYMNASIUM.iter().map(|id| format!("{GYMNASIUM}{id}"));
    // Of names as near as each other, the last is taken: ours.
    let all: Vec<String> = of_gymnasium.chain(EnvId::ALL.iter().map(ToString::to_string)).collect();
    // A prefix that is wanting is no typing error.
    let bare: Vec<&str> = all.iter().map(|id| id.trim_start_matches(GYMNASIUM)).collect();
    let found = did_you_mean(name, &bare);
    match OF_GYMNASIUM.iter().find(|id| found.contains(&format!("'{id}'"))) {
        Some(id) => format!("; did you mean '{GYMNASIUM}{id}'?"),
        None => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_said_with_its_prefix_and_lists_stay_short() {
        assert_eq!(nearest_env("LunarLander-v3"), "; Python runs it as 'gymnasium:LunarLander-v3'");
        assert_eq!(nearest_env("halfcheetah-v5"), "; did you mean 'HalfCheetah-v5'?");
        assert_eq!(nearest_env("lunarlander-v2"), "; did you mean 'gymnasium:LunarLander-v3'?");
        assert!(accepted_envs().len() < 800 && accepted_envs().contains("Ant-v5, HalfCheetah-v5"));
    }
}
