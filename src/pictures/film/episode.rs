//! A greedy episode, frame by frame.

use std::path::Path;

use egn_agents::{Actions, ActorState, AgentError, Mode, Policy};
use egn_envs::{Env, EnvError, EnvId, Frame, Pcg64};
use egn_train::config::env_name::{EnvName, EnvSettings};

/// Frames of an animation at most: a minute at CartPole's speed, a few megabytes. An episode of
/// MinAtar's Freeway has 2,500.
pub const MAX_FRAMES: usize = 3_000;

/// Episodes of an animation at most.
pub const MAX_EPISODES: usize = 3;

/// Why there are no pictures.
#[derive(Debug, thiserror::Error)]
pub enum FilmError {
    /// The environment does not draw itself.
    #[error("{env} draws no pictures; the environments that egn list envs names without gymnasium: do")]
    NoPictures {
        /// The environment.
        env: String,
    },
    /// The environment failed.
    #[error("episode with seed {seed}: {source}")]
    Env {
        /// Seed of the episode.
        seed: u64,
        /// What the environment said.
        source: EnvError,
    },
    /// The policy could not act.
    #[error(transparent)]
    Policy(#[from] AgentError),
    /// A picture could not be encoded.
    #[error("cannot encode the picture: {0}")]
    Encoding(String),
}

impl FilmError {
    /// Whether a person asked for what the environment does not have.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NoPictures { .. } => true,
            Self::Env { .. } | Self::Policy(_) | Self::Encoding(_) => false,
        }
    }
}

/// The pictures of one episode, all of one size; never empty.
#[derive(Debug, Clone)]
pub struct Film {
    /// The first state, then one picture a step.
    pub frames: Vec<Frame>,
    /// Whether the episode went on after the last picture.
    pub is_cut: bool,
}

/// An environment that can be filmed.
///
/// # Errors
/// [`FilmError::NoPictures`] for Gymnasium's, which draw in the child process alone, and for other
/// programs'.
pub fn drawable(
    name: &EnvName,
    settings: &EnvSettings,
    python: Option<&Path>,
) -> Result<(EnvId, Box<dyn Env>), FilmError> {
    match name {
        EnvName::Registered(id) => {
            let made = settings.values().and_then(|values| id.make_with(&values, python));
            // Settings are refused before there is a seed; those of a record were accepted.
            made.map(|env| (*id, env)).map_err(|source| FilmError::Env { seed: 0, source })
        }
        EnvName::Gymnasium(_) | EnvName::Custom(_) => Err(FilmError::NoPictures { env: name.to_string() }),
    }
}

/// Films the greedy episode with this seed, `max_frames` pictures at most.
///
/// # Errors
/// When the environment draws nothing, or it or the policy fails.
pub fn film(env: &mut dyn Env, policy: &dyn Policy, seed: u64, max_frames: usize) -> Result<Film, FilmError> {
    let failed = |source| FilmError::Env { seed, source };
    let picture = |env: &dyn Env| env.render().ok_or_else(|| FilmError::NoPictures { env: "this environment".into() });
    let mut rng = Pcg64::seed_from(seed);
    let mut observation = vec![0.0; env.observation_space().len()];
    let mut actions = Actions::none(env.action_space());
    // A greedy policy draws nothing.
    let mut states = [ActorState::new(0, 0)];
    env.reset(&mut rng, &mut observation).map_err(failed)?;
    let mut frames = vec![picture(env)?];
    while frames.len() < max_frames {
        actions.clear();
        policy.act(&observation, Mode::Greedy, &mut states, &mut actions)?;
        let step = env.step(actions.get(0), &mut rng, &mut observation).map_err(failed)?;
        frames.push(picture(env)?);
        if step.outcome().is_end() {
            return Ok(Film { frames, is_cut: false });
        }
    }
    Ok(Film { frames, is_cut: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::film::{animation::gif, strip::png_strip};

    /// Pushes right, whatever it sees.
    struct Right;

    impl Policy for Right {
        fn act(&self, _: &[f32], _: Mode, _: &mut [ActorState], actions: &mut Actions) -> Result<(), AgentError> {
            let Actions::Discrete(actions) = actions else { panic!("CartPole's actions are discrete") };
            actions.push(1);
            Ok(())
        }
    }

    fn cart_pole() -> Film {
        let name: EnvName = "CartPole-v1".parse().unwrap();
        let (_, mut env) = drawable(&name, &EnvSettings::default(), None).unwrap();
        film(&mut *env, &Right, 0, MAX_FRAMES).unwrap()
    }

    #[test]
    fn an_episode_is_filmed_from_first_to_last_state() {
        let film = cart_pole();
        assert!((8..20).contains(&film.frames.len()), "{}", film.frames.len());
        assert!(!film.is_cut);
        assert!(film.frames.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn an_animation_reads_back_as_the_frames_that_went_in() {
        let films = [cart_pole(), cart_pole()];
        let bytes = gif(&films, 50.0).unwrap();
        let mut options = ::gif::DecodeOptions::new();
        options.set_color_output(::gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(&bytes[..]).unwrap();
        let mut canvas = films[0].frames[0].pixels().to_vec();
        let width = films[0].frames[0].width();
        for frame in films.iter().flat_map(|film| &film.frames) {
            let read = decoder.read_next_frame().unwrap().expect("a frame for each");
            for (k, pixel) in read.buffer.chunks_exact(4).enumerate() {
                let (x, y) = (k % usize::from(read.width), k / usize::from(read.width));
                let at = 3 * ((y + usize::from(read.top)) * width + x + usize::from(read.left));
                canvas[at..at + 3].copy_from_slice(&pixel[..3]);
            }
            assert!(canvas == frame.pixels(), "a frame with few colors is kept exactly");
        }
        assert!(decoder.read_next_frame().unwrap().is_none());
    }

    #[test]
    fn a_strip_is_a_picture_wider_than_high() {
        let bytes = png_strip(&cart_pole()).unwrap();
        let reader = png::Decoder::new(&bytes[..]).read_info().unwrap();
        let (width, height) = reader.info().size();
        assert!(width > 6 * height && height > 100, "{width} x {height}");
    }

    #[test]
    fn what_python_runs_is_not_drawn() {
        let name: EnvName = "gymnasium:CartPole-v1".parse().unwrap();
        let error = drawable(&name, &EnvSettings::default(), None).err().unwrap();
        assert!(error.to_string().contains("gymnasium:CartPole-v1 draws no pictures"));
    }
}
