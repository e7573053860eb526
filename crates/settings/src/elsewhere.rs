//! Templates that are declared outside of the settings but that the settings may name.

use std::collections::BTreeSet;

/// The templates that are declared through the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Elsewhere {
    /// The names of the templates. A name that is neither among them nor in the settings is a fault.
    Templates(BTreeSet<String>),
    /// The names are not known now. A missing template is found later.
    Unknown,
}

impl Elsewhere {
    /// No template: the settings must declare everything that they name.
    pub const NOTHING: Self = Self::Templates(BTreeSet::new());

    /// The known names; `None` if they are unknown.
    pub(super) fn names(&self) -> Option<impl Iterator<Item = &str>> {
        match self {
            Self::Templates(names) => Some(names.iter().map(String::as_str)),
            Self::Unknown => None,
        }
    }
}
