//! The nearest accepted name to one that is not accepted.

/// `; did you mean 'x'?` when an accepted name is near, else nothing.
pub fn did_you_mean<T: AsRef<str>>(name: &str, accepted: &[T]) -> String {
    // The one forgives different lengths, the other two letters swapped.
    let near = |candidate: &&str| {
        let (name, candidate) = (name.to_lowercase(), candidate.to_lowercase());
        strsim::jaro_winkler(&name, &candidate).max(strsim::normalized_damerau_levenshtein(&name, &candidate))
    };
    accepted
        .iter()
        .map(AsRef::as_ref)
        .max_by(|a, b| near(a).total_cmp(&near(b)))
        .filter(|best| near(best) > 0.6)
        .map_or_else(String::new, |best| format!("; did you mean '{best}'?"))
}

/// serde's message on an unknown field, with the nearest of the fields it expected.
pub fn unknown_key(message: &str) -> String {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match names.split_first() {
        Some((unknown, accepted)) if message.starts_with("unknown field") => {
            format!("{}{}", message.trim_end(), did_you_mean(unknown, accepted))
        }
        _ => message.trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        assert_eq!(did_you_mean("adm", &["egn", "adam"]), "; did you mean 'adam'?");
        assert_eq!(did_you_mean("eng", &["egn", "adam"]), "; did you mean 'egn'?");
        assert_eq!(did_you_mean("zzz", &["egn", "adam"]), "");
    }
}
