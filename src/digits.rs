//! How many digits of a number a person is shown.

/// Decimals that show three significant digits of the largest of `values`, but one at least and
/// twelve at most.
pub(crate) fn decimals(values: &[f64]) -> usize {
    let largest =
        values.iter().filter(|value| value.is_finite()).fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if largest == 0.0 {
        return 1;
    }
    (2.0 - libm::floor(libm::log10(largest))).clamp(1.0, 12.0) as usize
}

/// A return as a person reads it: 475.0, 9.25, 0.00123.
pub(crate) fn shown(value: f64) -> String {
    format!("{value:.*}", decimals(&[value]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_shown_of_numbers_of_any_size() {
        for (value, text) in [
            (475.0, "475.0"),
            (-12.34, "-12.3"),
            (9.996, "10.00"),
            (9.25, "9.25"),
            (-0.5, "-0.500"),
            (0.001_234_5, "0.00123"),
            (1e-9, "0.00000000100"),
            (1e-300, "0.000000000000"),
            (1234567.89, "1234567.9"),
            (0.0, "0.0"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(shown(value), text);
        }
        assert_eq!(decimals(&[0.001, -250.0]), 1, "what stands together has the digits of the largest");
    }
}
