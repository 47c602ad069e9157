//! Wrong usage.

/// Wrong usage, found after the command line was parsed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);
