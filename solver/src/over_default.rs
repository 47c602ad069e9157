//! Settings of which some are given, laid over the defaults.

use std::collections::BTreeMap;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error},
};
use serde_value::{Value, ValueDeserializer, to_value};

/// Reads settings of which some are given, and takes the others from `T::default()`.
///
/// For `deserialize_with` where settings that several structs share are flattened into them: serde
/// by itself then neither refuses an unknown key nor knows whose default fills a gap.
///
/// # Errors
/// When a key is unknown, with those that there are, or a value is of the wrong type.
pub fn over_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Serialize + DeserializeOwned,
{
    let given = BTreeMap::<String, Value>::deserialize(deserializer)?;
    let Ok(Value::Map(mut settings)) = to_value(T::default()) else { panic!("settings are named fields") };
    for (key, value) in given {
        match settings.get_mut(&Value::String(key.clone())) {
            Some(setting) => *setting = value,
            None => return Err(unknown_field(&key, settings.into_keys())),
        }
    }
    T::deserialize(ValueDeserializer::new(Value::Map(settings)))
}

/// What serde says of an unknown field, whose names are known to it at compile time only.
fn unknown_field<E: Error>(key: &str, known: impl Iterator<Item = Value>) -> E {
    let names = known.filter_map(|name| String::deserialize(name).ok()).map(|name| format!("`{name}`"));
    E::custom(format!("unknown field `{key}`, expected one of {}", names.collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Shared {
        rate: f64,
        limit: Option<f64>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Own {
        #[serde(flatten)]
        shared: Shared,
        width: usize,
    }

    impl Default for Own {
        fn default() -> Self {
            Self { shared: Shared { rate: 0.5, limit: None }, width: 8 }
        }
    }

    fn read(text: &str) -> Result<Own, serde_json::Error> {
        over_default(&mut serde_json::Deserializer::from_str(text))
    }

    #[test]
    fn a_gap_is_filled_from_the_outer_default() {
        assert_eq!(read("{}").unwrap(), Own::default());
        let limited = Own { shared: Shared { rate: 0.5, limit: Some(2.0) }, width: 8 };
        assert_eq!(read(r#"{ "limit": 2.0 }"#).unwrap(), limited);
        let faster = Own { shared: Shared { rate: 1.0, limit: None }, width: 9 };
        assert_eq!(read(r#"{ "width": 9, "rate": 1 }"#).unwrap(), faster);
    }

    #[test]
    fn an_unknown_key_is_refused_with_those_that_there_are() {
        let message = read(r#"{ "rat": 1.0 }"#).unwrap_err().to_string();
        assert!(message.starts_with("unknown field `rat`, expected one of `limit`, `rate`, `width`"), "{message}");
        assert!(read(r#"{ "width": "wide" }"#).unwrap_err().to_string().contains("expected usize"));
    }
}
