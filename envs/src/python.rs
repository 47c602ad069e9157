//! The Python interpreter that environments may need.

use std::path::{Path, PathBuf};

/// The interpreter that was named, else `$EGN_PYTHON`, else `python3`.
pub(crate) fn interpreter(named: Option<&Path>) -> PathBuf {
    let named = named.map(Path::to_owned);
    let of_variable = || std::env::var_os("EGN_PYTHON").filter(|name| !name.is_empty()).map(PathBuf::from);
    named.or_else(of_variable).unwrap_or_else(|| "python3".into())
}
