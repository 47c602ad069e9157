//! `egn evaluate`: greedy episodes of a record's policy, and pictures of them.

use std::{
    io::{Write, stdout},
    path::Path,
};

use anyhow::{Result, anyhow};
use egn_agents::Policy;
use egn_train::{
    config::run_config::RunConfig,
    record::writer::write_whole,
    run::saved_policy::SavedPolicy,
    trainer::evaluation::{greedy_returns, summarize},
};

use crate::{
    cli::EvaluateArgs,
    commands::{open_policy::open_policy, out_file::check_file_writable},
    digits::shown,
    exit_code::SUCCESS,
    pictures::film::{
        animation::gif,
        episode::{MAX_EPISODES, MAX_FRAMES, drawable, film},
        strip::png_strip,
    },
    progress::standing::warn,
    usage::Usage,
};

pub(super) fn evaluate(args: &EvaluateArgs) -> Result<u8> {
    let SavedPolicy { config, env, policy, .. } = open_policy(&args.record, args.which, args.python.as_deref())?;
    if args.gif.is_some() && args.gif == args.png_strip {
        return Err(anyhow!(Usage("--gif and --png-strip name the same file".to_owned())));
    }
    for path in [&args.gif, &args.png_strip].into_iter().flatten() {
        check_file_writable(path)?;
    }
    write_pictures(args, &config, &*policy)?;
    let returns = greedy_returns(&*env.environments, &*policy, args.episodes as usize, args.seed)?;
    env.environments.take_warnings().iter().for_each(|warning| warn(warning));
    let verdict = summarize(0, &returns);
    if args.json {
        let returns = serde_json::json!({
            "episodes": verdict.episodes, "mean": verdict.mean, "std": verdict.std,
            "min": verdict.min, "max": verdict.max, "first_seed": args.seed, "returns": returns,
        });
        writeln!(stdout(), "{returns}")?;
    } else {
        writeln!(
            stdout(),
            "{} greedy episodes: mean {}, std {}, min {}, max {}",
            verdict.episodes,
            shown(verdict.mean),
            shown(verdict.std),
            shown(verdict.min),
            shown(verdict.max)
        )?;
    }
    Ok(SUCCESS)
}

/// What `--gif` and `--png-strip` ask for.
fn write_pictures(args: &EvaluateArgs, config: &RunConfig, policy: &dyn Policy) -> Result<()> {
    if args.gif.is_none() && args.png_strip.is_none() {
        return Ok(());
    }
    let (id, mut env) = drawable(&config.run.env, &config.env, args.python.as_deref())?;
    let wanted = if args.gif.is_some() { (args.episodes as usize).min(MAX_EPISODES) } else { 1 };
    let mut films = Vec::new();
    let mut frames_left = MAX_FRAMES;
    while films.len() < wanted && frames_left > 0 {
        let film = film(&mut *env, policy, args.seed + films.len() as u64, frames_left)?;
        frames_left -= film.frames.len();
        films.push(film);
    }
    let cut = if films.iter().any(|film| film.is_cut) { ", the last one cut" } else { "" };
    let write = |path: &Path, picture: Vec<u8>, what: String| -> Result<()> {
        write_whole(path, &picture)?;
        let _ = writeln!(std::io::stderr(), "wrote {}: {what}", path.display());
        Ok(())
    };
    if let Some(path) = &args.gif {
        let episodes = if films.len() == 1 { "1 episode".to_owned() } else { format!("{} episodes", films.len()) };
        write(path, gif(&films, id.spec().frames_per_second)?, format!("{episodes}{cut}"))?;
    }
    if let Some(path) = &args.png_strip {
        write(path, png_strip(&films[0])?, format!("episode with seed {}", args.seed))?;
    }
    Ok(())
}
