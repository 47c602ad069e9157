//! Environments that are stepped together: those of this process, and those of a child process.
//!
//! *Design.* What is stepped in one go has one interface, so that workers and evaluations need not
//! know whether a step is a function call or a round trip to Python. A group is told which of its
//! environments take part: those whose episode of an evaluation is over do not.

use std::{
    any::Any,
    io,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use egn_agents::{Actions, Stream, position};
use egn_envs::{Env, EnvError, Pcg64, Space, Step};
use rand::RngCore;

/// The step that stands in where none was taken yet.
pub const NO_STEP: Step = Step { reward: 0.0, terminated: false, truncated: false };

/// Why environments of a group failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct GroupError {
    /// Indices within the group: one, or all when they share a child process that has ended.
    pub envs: Range<usize>,
    /// The environment's error, or what it panicked with.
    pub message: String,
}

/// Where the random draws of one environment come from.
#[derive(Debug, Clone)]
pub enum Draws {
    /// A stream for all its episodes.
    Stream(Box<Stream>),
    /// One episode, that of Gymnasium's `reset(seed=…)`.
    Episode {
        /// Seed of the episode; a child process gets the lower 32 bits.
        seed: u64,
        /// NumPy's generator with this seed.
        rng: Pcg64,
    },
}

impl Draws {
    /// The episode that begins with `reset(seed=seed)`.
    pub fn episode(seed: u64) -> Self {
        Self::Episode { seed, rng: Pcg64::seed_from(seed) }
    }

    /// Where a stream stands; an episode of its own always begins at its seed.
    pub fn position(&self) -> [u64; 2] {
        match self {
            Self::Stream(stream) => position(stream),
            Self::Episode { .. } => [0; 2],
        }
    }

    /// The generator, for environments that draw from one of ours.
    pub fn rng(&mut self) -> &mut dyn RngCore {
        match self {
            Self::Stream(stream) => stream,
            Self::Episode { rng, .. } => rng,
        }
    }

    /// The seed of the next episode, for environments that draw from a generator of their own.
    pub fn next_seed(&mut self) -> u32 {
        match self {
            Self::Stream(stream) => stream.next_u32(),
            Self::Episode { seed, .. } => *seed as u32,
        }
    }
}

/// Environments of one kind that are stepped together.
///
/// `observations` has a row and `steps` an entry for every environment of the group; those of
/// environments not in `which` (ascending indices) stay as they are.
pub trait EnvGroup: Send {
    /// The space of observations.
    fn observation_space(&self) -> &Space;

    /// The space of actions.
    fn action_space(&self) -> &Space;

    /// What each environment draws from.
    fn draws(&self) -> &[Draws];

    /// Where environment `i` is in its episode, for the text of an error, where that is known.
    fn place(&self, _i: usize) -> Option<String> {
        None
    }

    /// Begins an episode in each of `which`.
    ///
    /// # Errors
    /// The failure of the first environment that fails.
    fn reset(&mut self, which: &[usize], observations: &mut [f32]) -> Result<(), GroupError>;

    /// Takes action k in environment `which[k]`, for every k.
    ///
    /// # Errors
    /// The failure of the first environment that fails.
    fn step(
        &mut self,
        which: &[usize],
        actions: &Actions,
        observations: &mut [f32],
        steps: &mut [Step],
    ) -> Result<(), GroupError>;
}

/// Makes the environments of a run.
///
/// A function from an environment's index to the environment is such a maker, so that a library's
/// user can train on anything that implements [`Env`].
pub trait Environments: Sync {
    /// A group of environments, one for each of `draws`; `first_env` is the index of the first.
    ///
    /// # Errors
    /// When one cannot be made.
    fn group(&self, first_env: usize, draws: Vec<Draws>) -> Result<Box<dyn EnvGroup>, GroupError>;

    /// The program beyond this one that computes the environments, and its version, where there is
    /// one that a record depends on.
    fn simulator(&self) -> Option<String> {
        None
    }

    /// Keeps in the file at `path` what the environments print from now on, and what they have
    /// printed; those of this process print where they please.
    ///
    /// # Errors
    /// When the file cannot be written.
    fn keep_printed(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Warnings that the environments have printed since this was last asked, each once.
    fn take_warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

impl<F> Environments for F
where
    F: Fn(usize) -> Result<Box<dyn Env>, EnvError> + Sync,
{
    fn group(&self, first_env: usize, draws: Vec<Draws>) -> Result<Box<dyn EnvGroup>, GroupError> {
        let make = |i| guarded(i, || self(first_env + i));
        let envs = (0..draws.len()).map(make).collect::<Result<_, _>>()?;
        Ok(Box::new(NativeGroup { envs, draws }))
    }
}

/// The group of `environments` that begins with `first_env`, every answer of which is looked at:
/// what is not finite is the failure of its environment, and reaches no network, memory or
/// statistic.
///
/// # Errors
/// As [`Environments::group`].
pub fn checked_group(
    environments: &dyn Environments,
    first_env: usize,
    draws: Vec<Draws>,
) -> Result<Box<dyn EnvGroup>, GroupError> {
    Ok(Box::new(CheckedGroup(environments.group(first_env, draws)?)))
}

/// See [`checked_group`].
struct CheckedGroup(Box<dyn EnvGroup>);

impl CheckedGroup {
    fn check_observations(&self, which: &[usize], observations: &[f32]) -> Result<(), GroupError> {
        let width = self.observation_space().len();
        for &i in which {
            let row = &observations[i * width..(i + 1) * width];
            if let Some(entry) = row.iter().position(|x| !x.is_finite()) {
                return Err(self.not_finite(i, &format!("entry {entry} of its observation"), f64::from(row[entry])));
            }
        }
        Ok(())
    }

    /// What was answered, which nothing can be learned from.
    fn not_finite(&self, i: usize, what: &str, value: f64) -> GroupError {
        let place = self.0.place(i).map_or_else(String::new, |place| place + ": ");
        let message = format!(
            "{place}{what} is {value}; nothing of this step was learned from, and the environment must be mended"
        );
        GroupError { envs: i..i + 1, message }
    }
}

impl EnvGroup for CheckedGroup {
    fn observation_space(&self) -> &Space {
        self.0.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.0.action_space()
    }

    fn draws(&self) -> &[Draws] {
        self.0.draws()
    }

    fn reset(&mut self, which: &[usize], observations: &mut [f32]) -> Result<(), GroupError> {
        self.0.reset(which, observations)?;
        self.check_observations(which, observations)
    }

    fn step(
        &mut self,
        which: &[usize],
        actions: &Actions,
        observations: &mut [f32],
        steps: &mut [Step],
    ) -> Result<(), GroupError> {
        self.0.step(which, actions, observations, steps)?;
        self.check_observations(which, observations)?;
        match which.iter().find(|&&i| !steps[i].reward.is_finite()) {
            Some(&i) => Err(self.not_finite(i, "its reward", steps[i].reward)),
            None => Ok(()),
        }
    }
}

/// Environments of this process, one after the other.
struct NativeGroup {
    envs: Vec<Box<dyn Env>>,
    draws: Vec<Draws>,
}

impl EnvGroup for NativeGroup {
    fn observation_space(&self) -> &Space {
        self.envs[0].observation_space()
    }

    fn action_space(&self) -> &Space {
        self.envs[0].action_space()
    }

    fn draws(&self) -> &[Draws] {
        &self.draws
    }

    fn reset(&mut self, which: &[usize], observations: &mut [f32]) -> Result<(), GroupError> {
        let width = self.observation_space().len();
        for &i in which {
            let (env, rng) = (&mut self.envs[i], self.draws[i].rng());
            guarded(i, || env.reset(rng, &mut observations[i * width..(i + 1) * width]))?;
        }
        Ok(())
    }

    fn step(
        &mut self,
        which: &[usize],
        actions: &Actions,
        observations: &mut [f32],
        steps: &mut [Step],
    ) -> Result<(), GroupError> {
        let width = self.observation_space().len();
        for (k, &i) in which.iter().enumerate() {
            let (env, rng) = (&mut self.envs[i], self.draws[i].rng());
            let observation = &mut observations[i * width..(i + 1) * width];
            steps[i] = guarded(i, || env.step(actions.get(k), rng, observation))?;
        }
        Ok(())
    }
}

/// What environment `i` does, a panic being a failure like any other.
fn guarded<T>(i: usize, act: impl FnOnce() -> Result<T, EnvError>) -> Result<T, GroupError> {
    let message = match catch_unwind(AssertUnwindSafe(act)) {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic_message(&*panic),
    };
    Err(GroupError { envs: i..i + 1, message })
}

/// The text that a panic carries.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", text.unwrap_or_else(|| "without a message".to_owned()))
}

#[cfg(test)]
mod tests {
    use egn_envs::EnvId;

    use super::*;

    #[test]
    fn only_those_asked_take_part() {
        let make = |_| EnvId::CartPole.make();
        let mut group = make.group(0, (0..3).map(Draws::episode).collect()).unwrap();
        let (mut observations, mut steps) = (vec![0.0; 12], [NO_STEP; 3]);
        group.reset(&[0, 2], &mut observations).unwrap();
        assert_eq!(observations[4..8], [0.0; 4]);
        group.step(&[2], &Actions::Discrete(vec![1]), &mut observations, &mut steps).unwrap();
        assert_eq!(steps.map(|step| step.reward), [0.0, 0.0, 1.0]);
        let error = group.step(&[0, 1], &Actions::Discrete(vec![1, 1]), &mut observations, &mut steps).unwrap_err();
        assert_eq!(error.envs, 1..2, "the second was never reset: {error}");
    }
}
