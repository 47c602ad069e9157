//! Values on the command line, as people write them.

use std::{convert::Infallible, time::Duration};

use egn_train::trainer::setup::Interval;

/// TOML's integers end there.
pub(crate) const MAX_INTEGER: u64 = i64::MAX as u64;

/// Which seeds to train.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeds(pub Vec<u64>);

impl Seeds {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!(
                "'{text}' is not seeds; give a number of seeds from 1 to 1000, a range such as 101-120, \
                 or a list such as 101,102,110-120 (7-7 is seed 7 alone)"
            )
        };
        if let Ok(count) = text.trim().parse::<u64>() {
            return if (1..=1000).contains(&count) { Ok(Self((0..count).collect())) } else { Err(refuse()) };
        }
        let mut seeds = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let [Ok(first), Ok(last)] = [first, last].map(|end| end.trim().parse::<u64>()) else {
                return Err(refuse());
            };
            if first > last || last > MAX_INTEGER || last - first >= 1000 {
                return Err(refuse());
            }
            seeds.extend(first..=last);
        }
        let mut unique = seeds.clone();
        unique.sort_unstable();
        unique.dedup();
        if unique.len() == seeds.len() { Ok(Self(seeds)) } else { Err(format!("a seed stands twice in '{text}'")) }
    }
}

/// A whole number as people write it: `100000`, `100_000`, `1e5`, `100k`, `0.1M`.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    let refused =
        || format!("'{text}' is not a whole number from 0 to {MAX_INTEGER}, such as 100000, 100_000, 1e5 or 100k");
    let plain = text.trim().replace('_', "");
    if let Ok(number) = plain.parse() {
        return Some(number).filter(|&number| number <= MAX_INTEGER).ok_or_else(refused);
    }
    let units = [('k', 1e3), ('K', 1e3), ('M', 1e6)];
    let unit = units.into_iter().find_map(|(unit, size)| Some((plain.strip_suffix(unit)?, size)));
    let (digits, size) = unit.unwrap_or((&plain, 1.0));
    // What f64 counts without a gap.
    let exact = |number: &f64| number.fract() == 0.0 && (0.0..9e15).contains(number);
    digits.parse::<f64>().ok().map(|number| number * size).filter(exact).map(|number| number as u64).ok_or_else(refused)
}

/// A name, blanks around it aside.
pub(crate) fn name(text: &str) -> Result<String, Infallible> {
    Ok(text.trim().to_owned())
}

/// `10000`, of environment steps, or `30s`, of up to a day.
pub(crate) fn interval(text: &str) -> Result<Interval, String> {
    let seconds = |number: &str| number.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    let parsed = match text.strip_suffix('s') {
        Some(number) => seconds(number).map(|seconds| Interval::Wall(Duration::from_secs_f64(seconds))),
        None => count(text).ok().filter(|&steps| steps > 0).map(Interval::Steps),
    };
    parsed.ok_or_else(|| {
        format!("'{text}' is neither a number of environment steps, such as 10000, nor a time from 0s to 86400s")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_people_write_them() {
        for text in ["100000", "100_000", "1e5", "100k", "100K", "0.1M", " 100000"] {
            assert_eq!(count(text), Ok(100_000), "{text}");
        }
        assert_eq!(count("9007199254740993"), Ok(9_007_199_254_740_993), "no detour by f64");
        for text in ["", "k", "-1", "1.5", "1e-3", "0.0001k", "1e300", "inf", "nan", "ten", "9223372036854775808"] {
            assert!(count(text).is_err_and(|message| message.contains("100k")), "{text}");
        }
    }

    #[test]
    fn seeds_are_a_count_or_a_list() {
        assert_eq!(Seeds::parse("3"), Ok(Seeds(vec![0, 1, 2])));
        assert_eq!(Seeds::parse("101,102"), Ok(Seeds(vec![101, 102])));
        assert_eq!(Seeds::parse("7-7"), Ok(Seeds(vec![7])));
        assert_eq!(Seeds::parse("9, 3-5"), Ok(Seeds(vec![9, 3, 4, 5])));
        let message = Seeds::parse("7,").unwrap_err();
        assert!(message.contains("a number of seeds from 1 to 1000") && message.contains("101-120"), "{message}");
        for text in ["0", "x", "1,1", "1,0-3", "-1", "5-3", "0-5000", "1001", "18446744073709551615,1"] {
            assert!(Seeds::parse(text).is_err(), "{text}");
        }
    }
}
