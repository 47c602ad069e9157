//! Formulas as Stable-Baselines3, sb3-contrib and torch compute them, for tests
//! (`tests/data/sb3/off_policy.py` and `on_policy.py` made them).

use serde_json::Value;

/// One section of what was recorded of off-policy agents.
pub(crate) fn recorded(section: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../../tests/data/sb3/off_policy.json")).unwrap();
    all[section].clone()
}

/// One section of what was recorded of on-policy agents.
pub(crate) fn recorded_on_policy(section: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../../tests/data/sb3/on_policy.json")).unwrap();
    all[section].clone()
}

/// A list of numbers.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// Panics unless all entries agree.
pub(crate) fn assert_close(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{a} against {b}");
    }
}
