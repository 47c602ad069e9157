//! What became of a run, in a sentence.

use crate::record::contents::{Ended, Summary};

/// What became of a run, in a few words.
pub fn outcome(summary: &Summary) -> String {
    let best = summary.best.map_or_else(String::new, |best| format!(", best {:.1}", best.mean));
    match (summary.ended, &summary.error, summary.final_evaluation) {
        (Ended::Finished, _, Some(last)) => {
            let when = summary.threshold.map_or_else(
                || "threshold not reached".to_owned(),
                |threshold| format!("threshold at {} steps", threshold.env_steps),
            );
            let failed = match summary.updates_failed {
                0 => String::new(),
                failed => format!(", {failed} of {} steps changed nothing", summary.updates + failed),
            };
            format!("final {:.1}{best}, {when}, {:.1} CPU s{failed}", last.mean, summary.cpu_seconds)
        }
        (Ended::Failed, Some(error), _) => format!("failed: {error}"),
        (ended, _, _) => format!("{ended:?} after {} steps{best}", summary.env_steps).to_lowercase(),
    }
}
