//! Facts about the packet filter.

use serde::{Deserialize, Serialize};

/// The packet filter of the site, compared with what is recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFacts {
    /// Whether the rules are loaded as this version of the program has them.
    pub is_loaded: bool,
    /// How many elements there should be; `None` if the database was not read.
    pub wanted: Option<u64>,
    /// How many of them are not there.
    pub missing: u64,
    /// How many are there that should not be.
    pub surplus: u64,
}
