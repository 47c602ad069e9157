//! Contradictions of a record: what cannot be so, or not by its configuration alone, because
//! someone edited it or took its run further.

use crate::record::contents::{CurvePoint, Ended, Summary};

/// Where a summary says something else than the curve from which it was made, and whether the run
/// went on beyond what it was meant for.
///
/// The returns of `final` and `best` of a finished run are of other episodes than the curve's: `egn
/// evaluate` plays them again.
pub(super) fn contradictions(summary: &Summary, curve: &[CurvePoint]) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, told: Option<u64>, drawn: Option<u64>| {
        if told != drawn {
            let [told, drawn] = [told, drawn].map(|steps| steps.map_or("none".to_owned(), |steps| steps.to_string()));
            found.push(format!(
                "summary.json and curve.csv disagree: {what} at {told} and at {drawn} environment steps"
            ));
        }
    };
    // Of equals the later one, as in training.
    let best = curve.iter().reduce(|best, point| if point.mean >= best.mean { point } else { best });
    compare("the best evaluation", summary.best.map(|best| best.env_steps), best.map(|point| point.env_steps));
    if summary.ended == Ended::Finished {
        compare("the end", Some(summary.env_steps), curve.last().map(|point| point.env_steps));
    }
    if let Some(threshold) = summary.threshold {
        let reached = curve.iter().find(|point| point.env_steps > 0 && point.mean >= threshold.threshold_return);
        compare("the threshold", Some(threshold.env_steps), reached.map(|point| point.env_steps));
    }
    let extended = summary.extended_from.first();
    found.extend(extended.map(|steps| format!("extended beyond {steps} environment steps, which it was meant for")));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::contents::Evaluation, testing::example_summary};

    #[test]
    fn an_edited_summary_is_found_out() {
        let point = |env_steps, mean| {
            CurvePoint::new(Evaluation { env_steps, episodes: 20, mean, std: 0.0, min: mean, max: mean }, 0.5, 0.5)
        };
        let curve = [point(0, 9.0), point(1000, 480.0), point(2000, 470.0)];
        let said = |edit: fn(&mut Summary)| {
            let mut summary = example_summary(1.0);
            summary.best.as_mut().unwrap().env_steps = 1000;
            summary.threshold.as_mut().unwrap().env_steps = 1000;
            edit(&mut summary);
            contradictions(&summary, &curve)
        };
        assert_eq!(said(|_| ()), [""; 0]);
        for (edit, expected) in [
            (
                (|summary| summary.threshold.as_mut().unwrap().env_steps = 500) as fn(&mut Summary),
                "the threshold at 500",
            ),
            (|summary| summary.env_steps = 3000, "the end at 3000 and at 2000"),
            (|summary| summary.best.as_mut().unwrap().env_steps = 2000, "the best evaluation at 2000 and at 1000"),
            (|summary| summary.best = None, "the best evaluation at none and at 1000"),
            (|summary| summary.extended_from = vec![1500], "extended beyond 1500 environment steps"),
        ] {
            let warnings = said(edit);
            assert!(warnings.len() == 1 && warnings[0].contains(expected), "{warnings:?} lacks '{expected}'");
        }
    }
}
