//! What is declared elsewhere than in the settings, which may name it.

use std::collections::BTreeSet;

/// The templates that are declared elsewhere than in the settings: through the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Elsewhere {
    /// Those of these names. A name that is neither among them nor in the settings is a fault.
    Templates(BTreeSet<String>),
    /// Nobody knows now. What the settings name is found, or missed, later.
    Unknown,
}

impl Elsewhere {
    /// Nothing: the settings stand alone.
    pub const NOTHING: Self = Self::Templates(BTreeSet::new());

    /// The names that are known; `None` where nobody knows.
    pub(super) fn names(&self) -> Option<impl Iterator<Item = &str>> {
        match self {
            Self::Templates(names) => Some(names.iter().map(String::as_str)),
            Self::Unknown => None,
        }
    }
}
