//! Facts about the database.

use serde::{Deserialize, Serialize};

use crate::Fact;

/// The database, as it answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseFacts {
    /// Its URL, without a password.
    pub url: String,
    /// Whether it answers and takes commits. The error says why not.
    pub commits: Fact<()>,
    /// Whether it is intact: `Ok(None)` if the search for damage took too long. The error says what is damaged.
    pub intact: Fact<Option<()>>,
    /// The size of its file in bytes, if it is a file.
    pub size: Option<u64>,
    /// The size of its log in bytes, if it is a file.
    pub log: Option<u64>,
    /// The version of its schema, and the newest one that the program knows.
    pub schema: Fact<(i64, i64)>,
}
