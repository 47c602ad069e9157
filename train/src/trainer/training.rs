//! A run under way: rollout by rollout, from its beginning or a checkpoint to its end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use egn_agents::{AgentError, Clock, Learned, NormalizedAgent, TrainedPolicy};
use egn_solver::{State, StateError};

use crate::{
    config::run_settings::TRAINING_SEED,
    machine::resources::Stopwatch,
    record::contents::{CurvePoint, Ended, Evaluation, Threshold},
    trainer::{
        callback::{Callback, Flow, RolloutEvent},
        error::TrainError,
        evaluation::{greedy_returns, summarize},
        setup::{Interval, Trainer, build_agent},
        trained::Trained,
    },
    workers::{
        pool::Workers,
        task::{Collected, Task},
    },
};

impl Trainer<'_> {
    /// Trains to the end, or until a callback, `stop` or a failure ends it.
    ///
    /// # Errors
    /// When the run cannot begin. A failure after that is in [`Trained::error`], with what was
    /// learned until then.
    pub fn train(&self, callbacks: &mut [&mut dyn Callback]) -> Result<Trained, TrainError> {
        self.config.validate()?;
        let settings = &self.config.run;
        thread::scope(|scope| {
            let saved = self.resume.map(|state| state.part("workers"));
            let n_workers = self.n_workers;
            let workers =
                Workers::start(scope, self.environments, settings.envs, n_workers, settings.seed, saved.as_ref())?;
            let agent = build_agent(self.config, workers.observation_space(), workers.action_space())?;
            let mut training = Training::begin(self, agent, &workers)?;
            let result = training.train(&workers, callbacks);
            training.into_trained(result, &workers)
        })
    }
}

/// A run under way.
pub(super) struct Training<'a> {
    trainer: &'a Trainer<'a>,
    agent: NormalizedAgent,
    watch: Stopwatch,
    clock: Clock,
    updates: u64,
    updates_failed: u64,
    /// Steps of each network for which none was found, since the last one that was taken.
    failures_in_a_row: BTreeMap<String, u64>,
    /// Networks that have made a step in the present thousandth of the run.
    reported: BTreeSet<&'static str>,
    threshold: Option<Threshold>,
    best: Option<(Evaluation, TrainedPolicy)>,
    /// Collected while the agent learned from the rollout before.
    ahead: Option<Collected>,
    /// Environments whose episode could not be resumed, now or earlier.
    restarted: BTreeSet<u64>,
    /// None before the first: that is due at once.
    last_checkpoint: Option<(Instant, u64)>,
}

impl<'a> Training<'a> {
    /// A run at its beginning, or where the trainer's saved state left it.
    ///
    /// # Errors
    /// When the state, or the networks to start from, do not fit.
    pub(super) fn begin(
        trainer: &'a Trainer<'a>,
        agent: NormalizedAgent,
        workers: &Workers,
    ) -> Result<Self, TrainError> {
        let mut training = Self {
            trainer,
            agent,
            watch: Stopwatch::start(),
            clock: Clock { env_steps: 0, total_steps: trainer.config.run.steps, diagnose: true },
            updates: 0,
            updates_failed: 0,
            failures_in_a_row: BTreeMap::new(),
            reported: BTreeSet::new(),
            threshold: None,
            best: None,
            ahead: None,
            restarted: BTreeSet::new(),
            last_checkpoint: None,
        };
        match (trainer.resume, trainer.initial) {
            (Some(state), _) => {
                training.restore(state, workers)?;
                training.last_checkpoint = Some((Instant::now(), training.clock.env_steps));
            }
            (None, Some(networks)) => training.agent.start_from(networks)?,
            (None, None) => {}
        }
        training.forget_episodes(workers.restarted());
        Ok(training)
    }

    /// The episodes that were under way in these environments do not go on: what was collected of
    /// them ends there, as at a time limit, or what the agent holds of them is dropped.
    fn forget_episodes(&mut self, envs: &[usize]) {
        match &mut self.ahead {
            Some(Collected { rollout, .. }) => rollout.truncate_at_end(envs),
            None => self.agent.forget_episodes(envs),
        }
        self.restarted.extend(envs.iter().map(|&env| env as u64));
    }

    /// Trains until the last step, or until a callback or the trainer's `stop` ends the run.
    ///
    /// # Errors
    /// What broke it off.
    pub(super) fn train(&mut self, workers: &Workers, callbacks: &mut [&mut dyn Callback]) -> Result<Flow, TrainError> {
        let mut flow = if self.clock.env_steps == 0 { self.evaluate(callbacks)? } else { Flow::Continue(()) };
        while flow.is_continue() && self.clock.env_steps < self.clock.total_steps {
            flow = if self.trainer.stop.load(Ordering::Relaxed) {
                Flow::Break(())
            } else {
                self.advance(workers, callbacks)?
            };
            self.checkpoint(workers, callbacks, flow)?;
            self.tell_warnings(callbacks);
        }
        let tried = self.updates + self.updates_failed;
        if tried > 0 || flow.is_break() { Ok(flow) } else { Err(TrainError::Idle { env_steps: self.clock.env_steps }) }
    }

    /// Tells the callbacks what environments warned of.
    fn tell_warnings(&self, callbacks: &mut [&mut dyn Callback]) {
        for warning in self.trainer.environments.take_warnings() {
            callbacks.iter_mut().for_each(|callback| callback.on_warning(&warning));
        }
    }

    /// Hands the state of the run to the callbacks where that is due.
    fn checkpoint(
        &mut self,
        workers: &Workers,
        callbacks: &mut [&mut dyn Callback],
        flow: Flow,
    ) -> Result<(), TrainError> {
        let Some(every) = self.trainer.checkpoint_every else { return Ok(()) };
        let is_over = flow.is_break() || self.clock.env_steps >= self.clock.total_steps;
        let is_due = |(when, env_steps): (Instant, u64)| match every {
            Interval::Steps(every) => self.clock.env_steps / every > env_steps / every,
            Interval::Wall(every) => when.elapsed() >= every,
        };
        if !is_over && !self.last_checkpoint.is_none_or(is_due) {
            return Ok(());
        }
        let mut state = self.state();
        state.put_part("workers", workers.state());
        for callback in callbacks.iter_mut() {
            callback.on_checkpoint(&mut state)?;
        }
        self.last_checkpoint = Some((Instant::now(), self.clock.env_steps));
        Ok(())
    }

    /// All that the rest of the run depends on, its environments aside.
    fn state(&self) -> State {
        let mut state = State::default();
        state.put_part("agent", self.agent.state());
        state.put(COUNTERS, &[self.clock.env_steps, self.updates, self.updates_failed]);
        let (cpu_seconds, wall_seconds) = self.watch.read();
        state.put("seconds", &[cpu_seconds, wall_seconds]);
        for (network, failures) in &self.failures_in_a_row {
            state.put(&format!("failures/{network}"), &[*failures]);
        }
        let threshold = self.threshold.map(|t| [t.threshold_return, t.env_steps as f64, t.cpu_seconds]);
        state.put("restarted", &self.restarted.iter().copied().collect::<Vec<_>>());
        state.put("threshold", threshold.as_slice().as_flattened());
        if let Some((evaluation, policy)) = &self.best {
            let Evaluation { env_steps, episodes, mean, std, min, max } = *evaluation;
            state.put("best/evaluation", &[env_steps as f64, episodes as f64, mean, std, min, max]);
            state.put_part("best", policy.state());
        }
        if let Some(ahead) = &self.ahead {
            state.put_part("ahead", ahead.state());
        }
        state
    }

    fn restore(&mut self, state: &State, workers: &Workers) -> Result<(), TrainError> {
        self.agent.restore(&state.part("agent"))?;
        [self.clock.env_steps, self.updates, self.updates_failed] = counters(state)?;
        let seconds = state.get_all::<f64>("seconds", 2)?;
        self.watch = Stopwatch::resume((seconds[0], seconds[1]));
        let failures = state.part("failures");
        for network in failures.names() {
            self.failures_in_a_row.insert(network.to_owned(), failures.number(network)?);
        }
        self.restarted = state.get("restarted")?.into_iter().collect();
        self.threshold = match state.get_grown::<f64>("threshold", 3)?[..] {
            [threshold_return, env_steps, cpu_seconds] => {
                Some(Threshold { threshold_return, env_steps: env_steps as u64, cpu_seconds })
            }
            _ => None,
        };
        let best = state.get_all::<f64>("best/evaluation", 6)?;
        let evaluation = Evaluation {
            env_steps: best[0] as u64,
            episodes: best[1] as u64,
            mean: best[2],
            std: best[3],
            min: best[4],
            max: best[5],
        };
        self.best = Some((evaluation, self.agent.trained_policy()?.restored(&state.part("best"))?));
        let ahead = state.part("ahead");
        if ahead.names().next().is_some() {
            self.ahead =
                Some(Collected::from_state(&ahead, workers.observation_space().len(), workers.action_space())?);
        }
        Ok(())
    }

    /// One rollout, learned from; and an evaluation where one is due.
    fn advance(&mut self, workers: &Workers, callbacks: &mut [&mut dyn Callback]) -> Result<Flow, TrainError> {
        let settings = &self.trainer.config.run;
        let before = self.clock;
        let Collected { rollout, episodes } = match self.ahead.take() {
            Some(ahead) => ahead,
            None => {
                workers.begin(&self.task()?);
                workers.finish()?
            }
        };
        self.clock.env_steps += rollout.len() as u64;
        if self.clock.thousandth() != before.thousandth() {
            self.reported.clear();
        }
        let n_networks = self.failures_in_a_row.len();
        self.clock.diagnose = n_networks == 0 || self.reported.len() < n_networks;
        let overlaps = settings.overlap && self.clock.env_steps < self.clock.total_steps;
        if overlaps {
            workers.begin(&self.task()?);
        }
        let learned = self.agent.learn(rollout, self.clock)?;
        if overlaps {
            self.ahead = Some(workers.finish()?);
        }
        self.reported.extend(learned.updates.iter().map(|update| update.network));
        let stuck = self.count(&learned);
        let event =
            RolloutEvent { before, after: self.clock, n_envs: settings.envs, episodes: &episodes, learned: &learned };
        let mut flow = Flow::Continue(());
        for callback in callbacks.iter_mut() {
            flow = either(flow, callback.on_rollout(&event)?);
        }
        // After the callbacks, so that the record holds the steps that led there.
        stuck?;
        let every = settings.eval_every();
        let is_due = self.clock.env_steps / every > before.env_steps / every;
        if is_due || self.clock.env_steps >= self.clock.total_steps {
            flow = either(flow, self.evaluate(callbacks)?);
        }
        Ok(flow)
    }

    /// A rollout with the policy as it is now.
    fn task(&self) -> Result<Task, AgentError> {
        Ok(Task {
            policy: self.agent.policy()?,
            n_steps: self.agent.steps_per_rollout(),
            env_steps: self.clock.env_steps,
            total_steps: self.clock.total_steps,
        })
    }

    /// Counts steps that were taken and steps that changed nothing.
    ///
    /// # Errors
    /// [`TrainError::Stuck`] when none was found for one network too many times in a row.
    fn count(&mut self, learned: &Learned) -> Result<(), TrainError> {
        let limit = self.trainer.config.run.max_failed_updates;
        for update in &learned.updates {
            if !self.failures_in_a_row.contains_key(update.network) {
                self.failures_in_a_row.insert(update.network.to_owned(), 0);
            }
            let Some(in_a_row) = self.failures_in_a_row.get_mut(update.network) else { continue };
            match &update.result {
                Ok(report) if report.rejection.is_none() => {
                    self.updates += 1;
                    *in_a_row = 0;
                }
                // Nothing to be gained, as where the policy is as good as it gets, is no failure of
                // the run.
                Ok(_) => self.updates_failed += 1,
                Err(error) => {
                    self.updates_failed += 1;
                    *in_a_row += 1;
                    if *in_a_row >= limit {
                        let (network, failures) = (update.network, *in_a_row);
                        return Err(TrainError::Stuck { network, failures, last: error.clone() });
                    }
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, callbacks: &mut [&mut dyn Callback]) -> Result<Flow, TrainError> {
        let (cpu_seconds, wall_seconds) = self.watch.read();
        let policy = self.agent.policy()?;
        let n_episodes = self.trainer.config.run.eval_episodes;
        let environments = self.trainer.environments;
        let returns = self.watch.paused(|| greedy_returns(environments, &*policy, n_episodes, TRAINING_SEED))?;
        let evaluation = summarize(self.clock.env_steps, &returns);
        // Of equals the later one, which has learned from more.
        if self.best.as_ref().is_none_or(|(best, _)| evaluation.mean >= best.mean) {
            let policy = self.agent.trained_policy()?;
            for callback in callbacks.iter_mut() {
                callback.on_best(&policy)?;
            }
            self.best = Some((evaluation, policy));
        }
        if let Some(threshold_return) = self.trainer.reward_threshold
            && self.threshold.is_none()
            // What an untrained network reaches by luck says nothing of how it learns.
            && self.clock.env_steps > 0
            && evaluation.mean >= threshold_return
        {
            self.threshold = Some(Threshold { threshold_return, env_steps: self.clock.env_steps, cpu_seconds });
        }
        let point = CurvePoint::new(evaluation, cpu_seconds, wall_seconds);
        let mut flow = Flow::Continue(());
        for callback in callbacks.iter_mut() {
            flow = either(flow, callback.on_evaluation(&point)?);
        }
        Ok(flow)
    }

    /// The outcome of the run, once it has ended with `result`.
    pub(super) fn into_trained(
        self,
        result: Result<Flow, TrainError>,
        workers: &Workers,
    ) -> Result<Trained, TrainError> {
        let (cpu_seconds, wall_seconds) = self.watch.read();
        let (ended, error) = match result {
            Ok(Flow::Continue(())) => (Ended::Finished, None),
            Ok(Flow::Break(())) => (Ended::Stopped, None),
            // What is to stop with us may be faster, as where all processes of a job are told to.
            Err(error) if error.is_of_environment() && is_stopped_soon(self.trainer.stop) => {
                (Ended::Stopped, Some(format!("while it was being stopped, {error}")))
            }
            Err(error) => (Ended::Failed, Some(error.to_string())),
        };
        Ok(Trained {
            ended,
            error,
            env_steps: self.clock.env_steps,
            updates: self.updates,
            updates_failed: self.updates_failed,
            cpu_seconds,
            wall_seconds,
            threshold: self.threshold,
            last: self.agent.trained_policy()?,
            action_space: workers.action_space().clone(),
            best: self.best,
            restarted: self.restarted.into_iter().collect(),
        })
    }
}

/// Whether a run, an environment of which has failed, is to stop, or will be told so in a moment.
pub(crate) fn is_stopped_soon(stop: &AtomicBool) -> bool {
    let begun = Instant::now();
    while !stop.load(Ordering::Relaxed) && begun.elapsed() < Duration::from_millis(300) {
        thread::sleep(Duration::from_millis(10));
    }
    stop.load(Ordering::Relaxed)
}

/// Environment steps, optimizer steps and failed ones, in a saved state.
const COUNTERS: &str = "counters";

/// Environment steps of a saved run, its optimizer steps, and those that failed.
///
/// # Errors
/// When the state is not that of a run.
pub(crate) fn counters(state: &State) -> Result<[u64; 3], StateError> {
    let counters = state.get_all::<u64>(COUNTERS, 3)?;
    Ok([counters[0], counters[1], counters[2]])
}

/// Every callback is asked; one that says stop is enough.
fn either(a: Flow, b: Flow) -> Flow {
    if a.is_break() { a } else { b }
}
