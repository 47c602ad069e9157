//! Whether a run fits into this machine's memory, asked before anything is allocated: a setting
//! with three zeros too many is refused like any other, where the allocator would end the program.

use egn_agents::{Spaces, Workload};
use egn_envs::Space;
use egn_solver::OptimizerConfig;

use crate::config::{error::ConfigError, run_config::RunConfig};

/// Bytes of a transition besides its two observations: action, reward, outcome, priority.
const TRANSITION: f64 = 32.0;

/// Vectors of a network's length that are held: parameters, target, best, snapshot, two moments,
/// gradient, direction.
const NETWORK_COPIES: f64 = 8.0;

/// Checks that what a run has to hold is less than the machine's memory.
///
/// # Errors
/// [`ConfigError::Memory`], which names the settings which decide it.
pub fn check_memory(config: &RunConfig, observations: &Space, actions: &Space) -> Result<(), ConfigError> {
    let spaces = Spaces { n_observations: observations.len(), actions };
    // Another program's agent is refused when it is to be built.
    let Ok(agent) = config.agent.settings() else { return Ok(()) };
    let workload = agent.workload(spaces, config.run.envs, config.run.steps);
    let (needed, total) = (bytes(config, &workload, spaces.n_observations), total_bytes());
    if total == 0.0 || needed < total {
        return Ok(());
    }
    Err(ConfigError::Memory { needed, total })
}

fn bytes(config: &RunConfig, workload: &Workload, n_observations: usize) -> f64 {
    let widths: Vec<f64> = workload.widths.iter().map(|&width| width as f64).collect();
    let params: f64 = widths.windows(2).map(|pair| (pair[0] + 1.0) * pair[1]).sum();
    let transitions = workload.transitions as f64 * (2.0 * 4.0 * n_observations as f64 + TRANSITION);
    let per_sample = config.optimizer.settings().rows_kept(workload.rows_per_sample);
    let rows = workload.batch_size as f64 * per_sample as f64;
    // The side of the parameters is taken where rows outnumber them four to one.
    let side = if 4.0 * params <= rows { params } else { rows };
    let held =
        |optimizer: &OptimizerConfig, side: f64| if optimizer.settings().holds_row_system() { side } else { 0.0 };
    // A critic has a row a sample; actor and critic take turns in one storage.
    let side = held(&config.optimizer, side).max(held(config.critic_optimizer(), workload.batch_size as f64));
    let system = 8.0 * side * side;
    let pass = 8.0 * rows * widths.iter().sum::<f64>();
    transitions + system + pass + 8.0 * NETWORK_COPIES * params
}

/// Memory of this machine in bytes; 0 where the system does not say.
#[cfg(unix)]
fn total_bytes() -> f64 {
    // SAFETY: sysconf has no memory effects.
    let [pages, size] = unsafe { [libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)] };
    pages.max(0) as f64 * size.max(0) as f64
}

#[cfg(not(unix))]
fn total_bytes() -> f64 {
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sources::Sources;

    #[test]
    fn three_zeros_too_many_are_refused() {
        let check = |setting: &str| {
            let names = ["run.env=CartPole-v1", "run.agent=ppo", "run.optimizer=egn", setting];
            let config = Sources { set: names.map(str::to_owned).into(), ..Sources::default() }.resolve().unwrap();
            check_memory(&config, &Space::Discrete { n: 4 }, &Space::Discrete { n: 2 })
        };
        check("run.seed=1").unwrap();
        for setting in ["agent.hidden=[1000000, 1000000]", "agent.n_steps=100000000000"] {
            assert!(check(setting).unwrap_err().to_string().contains("GB of memory"), "{setting}");
        }
    }
}
