//! A record without its clock fields, so that equal runs can be seen to be equal.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use crate::record::{
    error::RecordError,
    layout::{CLOCK_FIELDS, FILES},
    reader::read_text,
};

/// All files of a record as text, without [`CLOCK_FIELDS`]: equal for equal runs.
///
/// # Errors
/// [`RecordError`] when a file of the record cannot be read or parsed.
pub fn without_clock_fields(dir: &Path) -> Result<BTreeMap<String, String>, RecordError> {
    let mut files = BTreeMap::new();
    for name in FILES {
        let path = dir.join(name);
        if !path.exists() {
            continue;
        }
        let text = read_text(&path)?;
        let kept = match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => without_clock_columns(&text),
            Some("json") => without_clock_keys(&path, 1, &text)?,
            Some("jsonl") => {
                let lines = text.lines().zip(1..);
                let kept = lines.map(|(line, number)| without_clock_keys(&path, number, line));
                kept.collect::<Result<Vec<_>, _>>()?.join("\n")
            }
            _ => text,
        };
        files.insert(name.to_owned(), kept);
    }
    Ok(files)
}

fn without_clock_columns(text: &str) -> String {
    let header: Vec<&str> = text.lines().next().unwrap_or_default().split(',').collect();
    let is_clock = |column: usize| header.get(column).is_some_and(|c| CLOCK_FIELDS.contains(c));
    let without = |line: &str| {
        let cells = line.split(',').enumerate().filter(|(column, _)| !is_clock(*column));
        cells.map(|(_, cell)| cell).collect::<Vec<_>>().join(",")
    };
    text.lines().map(without).collect::<Vec<_>>().join("\n")
}

fn without_clock_keys(path: &Path, line: u64, text: &str) -> Result<String, RecordError> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|key, _| !CLOCK_FIELDS.contains(&key.as_str()));
                map.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_str(text).map_err(|error| RecordError::line(path, line, error))?;
    strip(&mut value);
    Ok(value.to_string())
}
