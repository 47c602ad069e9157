//! How a cohort was set up: what is not the default, and who says so.

use std::collections::BTreeMap;

use egn_train::config::{
    run_config::{RunConfig, flat_settings},
    sources::Sources,
};
use toml::{Table, Value};

use crate::{
    analysis::cohort::Cohort,
    pictures::report::html::{Row, table},
};

/// The settings of a cohort that are not their defaults, as a table.
pub(super) fn settings(cohort: &Cohort) -> String {
    let Some(ours) = cohort.records.first().map(|record| &record.settings).filter(|settings| !settings.is_empty())
    else {
        return "<p class=\"gray\">Its config.toml cannot be read: the settings are unknown.</p>\n".to_owned();
    };
    let names = [("env", &cohort.env), ("agent", &cohort.agent), ("optimizer", &cohort.optimizer)];
    let run: Table = names.map(|(key, name)| (key.to_owned(), Value::String(name.clone()))).into_iter().collect();
    let flags = Table::from_iter([("run".to_owned(), Value::Table(run))]);
    let defaults = flat(RunConfig::from_table(flags.clone()).ok());
    let preset = flat(Sources { flags, ..Sources::default() }.resolve().ok());
    let row = |(key, value): (&String, &String)| {
        let (default, preset) = (defaults.get(key), preset.get(key));
        let from = if preset == Some(value) { "preset" } else { "this run" };
        let cells = [key.clone(), value.clone(), default.cloned().unwrap_or_else(|| "–".to_owned()), from.to_owned()];
        (default != Some(value)).then(|| Row { cells: cells.into(), is_bad: false })
    };
    let rows: Vec<Row> = ours.iter().filter_map(row).collect();
    if rows.is_empty() {
        return "<p class=\"gray\">Every setting is the default.</p>\n".to_owned();
    }
    table("words", &["setting", "value", "default", "given by"].map(str::to_owned), &rows)
}

fn flat(config: Option<RunConfig>) -> BTreeMap<String, String> {
    config.map(|config| flat_settings(&config.to_toml())).unwrap_or_default()
}
