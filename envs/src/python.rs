//! The Python interpreter that environments may need.

use std::path::{Path, PathBuf};

/// The interpreter that was named, else `$EGN_PYTHON`, else `python3`.
pub(crate) fn interpreter(named: Option<&Path>) -> PathBuf {
    let named = named.map(Path::to_owned);
    named.or_else(|| std::env::var_os("EGN_PYTHON").map(PathBuf::from)).unwrap_or_else(|| "python3".into())
}
