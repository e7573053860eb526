//! The keys of a key file.

use super::{KeyId, SealingKey};

/// The keys of a key file: the newest first. There are two while a new key takes the place of an old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    newest: SealingKey,
    earlier: Vec<SealingKey>,
}

impl Keys {
    /// One key.
    pub fn one(key: SealingKey) -> Self {
        Self {
            newest: key,
            earlier: Vec::new(),
        }
    }

    /// A new key and the one in force, for the time until everything is sealed with the new one.
    pub fn both(newest: SealingKey, in_force: SealingKey) -> Self {
        Self {
            newest,
            earlier: vec![in_force],
        }
    }

    /// The keys, with the newest first; `None` if there is none.
    pub(super) fn of(keys: Vec<SealingKey>) -> Option<Self> {
        let mut keys = keys.into_iter();
        let newest = keys.next()?;
        Some(Self {
            newest,
            earlier: keys.collect(),
        })
    }

    /// The newest key.
    pub fn newest(&self) -> &SealingKey {
        &self.newest
    }

    /// The key of this id.
    pub fn find(&self, id: KeyId) -> Option<&SealingKey> {
        self.iter().find(|key| key.id() == id)
    }

    /// All keys, the newest first.
    pub fn iter(&self) -> impl Iterator<Item = &SealingKey> {
        std::iter::once(&self.newest).chain(&self.earlier)
    }
}
