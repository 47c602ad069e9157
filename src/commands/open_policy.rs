//! The policy of a record that a person names.

use std::path::Path;

use anyhow::{Result, anyhow};
use egn_train::run::saved_policy::{SavedPolicy, SavedPolicyError, WhichPolicy};

use crate::{cli::Which, usage::Usage};

/// Opens a record's policy; where the last one is missing, says that `--which best` has another.
pub(super) fn open_policy(record: &Path, which: Which, python: Option<&Path>) -> Result<SavedPolicy> {
    let which = match which {
        Which::Last => WhichPolicy::Last,
        Which::Best => WhichPolicy::Best,
    };
    SavedPolicy::open(record, which, python).map_err(|error| match error {
        SavedPolicyError::Missing { which: WhichPolicy::Last, has_best: true, .. } => {
            anyhow!(Usage(format!("{error}; --which best has the best so far")))
        }
        error => error.into(),
    })
}
