//! Any Gymnasium environment, run by Python in a child process.
//!
//! [`GymnasiumGroup`] steps many environments in one round trip; [`GymnasiumEnv`] is one of them
//! behind [`Env`]. The Python interpreter is the one in the settings, else `$EGN_PYTHON`, else
//! `python3`; it must be able to import gymnasium.
//!
//! *Design.* A child process needs no Python to build or link, runs beside its siblings (an
//! interpreter in this process would hold one lock for all), and can crash without taking the run
//! along. It is a good host to its environments: what they start gets nothing of ours, what they
//! announce is compared with what comes, what they print is kept, and they are closed at the end.
//! A reply that does not come in time is a hang. Observations are flattened where Gymnasium would
//! (one-hot for `Discrete`); they and actions travel as float32.
//!
//! Gymnasium draws from generators of its own, seeded by `reset(seed)`: [`GymnasiumEnv`] draws that
//! seed from its `rng` at every reset, so that a trajectory is still a function of generator and
//! actions.

mod error;
mod process;
mod protocol;
mod settings;
mod words;

use std::io::{self, Read};
use std::time::Duration;

use rand::RngCore;

use crate::action::Action;
use crate::env::{Env, Step};
use crate::episode::EpisodePhase;
use crate::error::EnvError;
use crate::space::Space;
pub use error::{GymnasiumError, Place};
use process::{ChildProcess, PATIENCE};
use protocol::{Command, Hello, Refusal, RefusalKind};
pub use settings::GymnasiumSettings;
pub use words::Printed;

/// What one environment of a group is to do in a round trip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Request<'a> {
    /// Does nothing; the environment's observation and step are left as they are.
    Idle,
    /// `reset(seed=…)`.
    Reset {
        /// Seed of the episode.
        seed: u32,
    },
    /// `step(action)`.
    Step(Action<'a>),
}

/// Environments of one kind in one child process.
#[derive(Debug)]
pub struct GymnasiumGroup {
    settings: GymnasiumSettings,
    hello: Hello,
    child: ChildProcess,
    phases: Vec<EpisodePhase>,
    places: Vec<Place>,
    frame: Vec<u8>,
    replies: Vec<u8>,
}

impl GymnasiumGroup {
    /// Starts a child with `n_envs` environments.
    ///
    /// # Errors
    /// [`GymnasiumError`] with what is missing, inside [`EnvError::Other`].
    pub fn start(settings: GymnasiumSettings, n_envs: usize) -> Result<Self, EnvError> {
        let mut child = ChildProcess::spawn(&settings, n_envs)
            .map_err(|source| GymnasiumError::NoPython { python: settings.interpreter(), source })?;
        let first = protocol::read_tag(&mut child, b'H').and_then(|refusal| match refusal {
            None => protocol::read_hello(&mut child).map(Ok),
            Some(refusal) => Ok(Err(refusal)),
        });
        let mut group = GymnasiumGroup {
            hello: Hello {
                observation_space: Space::Discrete { n: 0 },
                action_space: Space::Discrete { n: 0 },
                max_episode_steps: None,
                reward_threshold: None,
                version: String::new(),
            },
            settings,
            child,
            phases: vec![EpisodePhase::NotStarted; n_envs],
            places: vec![Place { seed: 0, step: 0 }; n_envs],
            frame: Vec::new(),
            replies: Vec::new(),
        };
        group.hello = match first {
            Ok(Ok(hello)) => hello,
            Ok(Err(refusal)) => return Err(group.explain(refusal, group.settings.reset_timeout).into()),
            Err(error) => return Err(group.post_mortem(&error).into()),
        };
        group.replies = vec![0; n_envs * protocol::reply_len(group.hello.observation_space.len())];
        Ok(group)
    }

    /// Environments in the group.
    pub fn n_envs(&self) -> usize {
        self.places.len()
    }

    /// The space of flattened observations.
    pub fn observation_space(&self) -> &Space {
        &self.hello.observation_space
    }

    /// The space of actions.
    pub fn action_space(&self) -> &Space {
        &self.hello.action_space
    }

    /// Steps after which Gymnasium truncates an episode.
    pub fn max_episode_steps(&self) -> Option<usize> {
        self.hello.max_episode_steps
    }

    /// Mean return from which the task counts as solved.
    pub fn reward_threshold(&self) -> Option<f64> {
        self.hello.reward_threshold
    }

    /// Version of Gymnasium in the child.
    pub fn version(&self) -> &str {
        &self.hello.version
    }

    /// Where environment `index` is in its episode.
    pub fn place(&self, index: usize) -> Place {
        self.places[index]
    }

    /// One round trip: every environment does as asked and writes its observation (`n_envs` rows in
    /// `observations`) and step (of reward 0 after a reset).
    ///
    /// # Errors
    /// Action and turn errors as of [`Env::step`], before anything is sent; [`GymnasiumError`]
    /// inside [`EnvError::Other`] when the child fails, after which the group is of no more use.
    pub fn exchange(
        &mut self,
        requests: &[Request<'_>],
        observations: &mut [f32],
        steps: &mut [Step],
    ) -> Result<(), EnvError> {
        let n_entries = self.hello.observation_space.len();
        assert_eq!(requests.len(), self.n_envs(), "one request for every environment");
        assert_eq!(steps.len(), self.n_envs(), "one step for every environment");
        assert_eq!(observations.len(), self.n_envs() * n_entries, "one row for every environment");
        self.write_frame(requests)?;
        let resets = requests.iter().any(|request| matches!(request, Request::Reset { .. }));
        let timeout = if resets { self.settings.reset_timeout } else { self.settings.timeout };
        // Where it cannot be written, there may be a last word to be read.
        let asked = self.child.ask(&self.frame, timeout);
        match protocol::read_tag(&mut self.child, b'R') {
            Ok(None) => {}
            Ok(Some(refusal)) => return Err(self.explain(refusal, timeout).into()),
            Err(error) => return Err(self.post_mortem(&asked.err().unwrap_or(error)).into()),
        }
        if let Err(error) = self.child.read_exact(&mut self.replies) {
            return Err(self.post_mortem(&error).into());
        }
        let replies = self.replies.chunks_exact(protocol::reply_len(n_entries));
        for (i, (reply, observation)) in replies.zip(observations.chunks_exact_mut(n_entries)).enumerate() {
            if requests[i] != Request::Idle {
                steps[i] = protocol::parse_reply(reply, observation);
                self.phases[i] = EpisodePhase::after(steps[i].outcome().is_end());
            }
        }
        Ok(())
    }

    fn write_frame(&mut self, requests: &[Request<'_>]) -> Result<(), EnvError> {
        self.frame.clear();
        let nothing = vec![0.0; self.hello.action_space.len()];
        let mut places = self.places.clone();
        for (i, &request) in requests.iter().enumerate() {
            match request {
                Request::Idle => protocol::push_request(&mut self.frame, Command::Idle, &nothing),
                Request::Reset { seed } => {
                    places[i] = Place { seed, step: 0 };
                    protocol::push_request(&mut self.frame, Command::Reset { seed }, &nothing);
                }
                Request::Step(action) => {
                    self.phases[i].require_running()?;
                    places[i].step += 1;
                    match self.hello.action_space.n_actions() {
                        Some(n) => {
                            let index = [action.as_discrete(n)? as f32];
                            protocol::push_request(&mut self.frame, Command::Step, &index);
                        }
                        None => {
                            let entries = action.as_continuous(nothing.len())?;
                            protocol::push_request(&mut self.frame, Command::Step, entries);
                        }
                    }
                }
            }
        }
        self.places = places;
        Ok(())
    }

    fn explain(&self, refusal: Refusal, timeout: Duration) -> GymnasiumError {
        let (id, Refusal { kind, index, text }) = (self.settings.id.clone(), refusal);
        let text = words::plain(&text);
        let place = self.places.get(index).copied().unwrap_or(Place { seed: 0, step: 0 });
        match kind {
            RefusalKind::NoGymnasium => GymnasiumError::NoGymnasium { python: self.settings.interpreter(), text },
            RefusalKind::NotMade => GymnasiumError::NotMade { id, text },
            RefusalKind::NotSupported => GymnasiumError::NotSupported { id, text },
            RefusalKind::Raised => GymnasiumError::Raised { id, index, place, text },
            RefusalKind::Stuck => {
                let seconds = timeout.as_secs_f64();
                let text = format!(
                    "no answer within {seconds} s (env.timeout, env.reset_timeout); it was interrupted at\n{text}"
                );
                // Before the first question there is no episode.
                match self.frame.is_empty() {
                    true => GymnasiumError::NotMade { id, text },
                    false => GymnasiumError::Raised { id, index, place, text },
                }
            }
        }
    }

    /// What a broken pipe or a lack of answer means.
    fn post_mortem(&mut self, error: &io::Error) -> GymnasiumError {
        let (id, seeds) = (self.settings.id.clone(), self.places.iter().map(|place| place.seed).collect());
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            let timeout = self.child.timeout();
            self.child.interrupt();
            // It may still say where it was.
            if let Ok(Some(refusal)) = protocol::read_tag(&mut self.child, b'R') {
                return self.explain(refusal, timeout);
            }
            let _ = self.child.end(Duration::ZERO);
            return GymnasiumError::Hung { id, seconds: timeout.as_secs_f64(), seeds };
        }
        // It has closed its end: it is ending, or as good as ended.
        let status = self.child.end(PATIENCE).map_or_else(|error| error.to_string(), |status| status.to_string());
        GymnasiumError::Died { id, status, seeds, stderr: self.child.last_words().to_owned() }
    }
}

/// One Gymnasium environment in a child process of its own.
#[derive(Debug)]
pub struct GymnasiumEnv(GymnasiumGroup);

impl GymnasiumEnv {
    /// Starts a child process with one environment.
    ///
    /// # Errors
    /// [`GymnasiumError`] with what is missing, inside [`EnvError::Other`].
    pub fn start(settings: GymnasiumSettings) -> Result<Self, EnvError> {
        GymnasiumGroup::start(settings, 1).map(GymnasiumEnv)
    }

    /// The group of which this is the only environment.
    pub fn group(&self) -> &GymnasiumGroup {
        &self.0
    }

    /// Gymnasium's `reset(seed=seed)`.
    ///
    /// # Errors
    /// [`GymnasiumError`] inside [`EnvError::Other`] when the child fails.
    pub fn reset_with_seed(&mut self, seed: u32, observation: &mut [f32]) -> Result<(), EnvError> {
        self.exchange(Request::Reset { seed }, observation).map(|_| ())
    }

    fn exchange(&mut self, request: Request<'_>, observation: &mut [f32]) -> Result<Step, EnvError> {
        let mut step = [Step { reward: 0.0, terminated: false, truncated: false }];
        self.0.exchange(&[request], observation, &mut step)?;
        Ok(step[0])
    }
}

impl Env for GymnasiumEnv {
    fn observation_space(&self) -> &Space {
        self.0.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.0.action_space()
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        self.reset_with_seed(rng.next_u32(), observation)
    }

    fn step(&mut self, action: Action<'_>, _rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        self.exchange(Request::Step(action), observation)
    }
}
