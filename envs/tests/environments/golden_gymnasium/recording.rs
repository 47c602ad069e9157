//! The layout of a recording of a classic control task.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
pub struct Recording {
    pub env_id: String,
    pub max_episode_steps: usize,
    pub transitions: Vec<Transition>,
    #[serde(default)]
    pub reset_table: Vec<Reset>,
    pub episodes: Vec<Episode>,
}

#[derive(Deserialize)]
pub struct Transition {
    pub state: Vec<f64>,
    pub action: OneAction,
    pub next_state: Vec<f64>,
    pub obs: Vec<f64>,
    pub reward: f64,
    pub terminated: bool,
}

#[derive(Deserialize)]
pub struct Reset {
    pub seed: u64,
    pub initial_state: Vec<f64>,
    pub obs: Vec<f64>,
}

#[derive(Deserialize)]
pub struct Episode {
    pub name: String,
    pub env_kwargs: BTreeMap<String, serde_json::Value>,
    pub how: String,
    pub reset_seed: u64,
    pub initial_state: Vec<f64>,
    pub initial_obs: Vec<f64>,
    pub actions: Actions,
    pub observations: Vec<Vec<f64>>,
    pub states: Vec<Vec<f64>>,
    pub rewards: Vec<f64>,
    pub terminated: Vec<bool>,
    pub truncated: Vec<bool>,
}

#[derive(Deserialize, Clone)]
#[serde(untagged)]
pub enum OneAction {
    Discrete(usize),
    Continuous(Vec<f32>),
}

impl OneAction {
    pub fn once(&self) -> Actions {
        match self.clone() {
            OneAction::Discrete(action) => Actions::Discrete(vec![action]),
            OneAction::Continuous(action) => Actions::Continuous(vec![action]),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Actions {
    Discrete(Vec<usize>),
    Continuous(Vec<Vec<f32>>),
}

impl Actions {
    pub fn len(&self) -> usize {
        match self {
            Actions::Discrete(actions) => actions.len(),
            Actions::Continuous(actions) => actions.len(),
        }
    }
}
