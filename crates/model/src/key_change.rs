//! Changes of a client's list of SSH keys.

use super::authorized_key::{AuthorizedKeyError, MOST_KEYS, fingerprint};

/// A change of the SSH keys that a client has on its own list. Its keys have passed [`parse_keys`](crate::parse_keys).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChange {
    /// The list is this one now.
    Replace(Vec<String>),
    /// These are on the list, too. One that is there already has the new comment.
    Add(Vec<String>),
    /// The key with this fingerprint, like `SHA256:…`, is no longer on the list.
    Remove(String),
}

impl KeyChange {
    /// The list after the change.
    ///
    /// # Errors
    ///
    /// [`AuthorizedKeyError::TooMany`]; [`AuthorizedKeyError::NoSuchKey`].
    pub fn apply(&self, mut keys: Vec<String>) -> Result<Vec<String>, AuthorizedKeyError> {
        match self {
            Self::Replace(new) => keys.clone_from(new),
            Self::Add(new) => {
                for key in new {
                    match keys.iter_mut().find(|known| fingerprint(known) == fingerprint(key)) {
                        Some(known) => known.clone_from(key),
                        None => keys.push(key.clone()),
                    }
                }
            }
            Self::Remove(gone) => {
                let before = keys.len();
                keys.retain(|key| fingerprint(key) != *gone);
                if keys.len() == before {
                    return Err(AuthorizedKeyError::NoSuchKey(gone.clone()));
                }
            }
        }
        match keys.len() {
            0..=MOST_KEYS => Ok(keys),
            count => Err(AuthorizedKeyError::TooMany { count }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFxNNfzrqW3sTmNJrC5hQWLVo3hL8mGzRZ3lXJmvVqKd";
    const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxNNfzrqW3sTmNJrC5hQWLVo3hL8mGzRZ3lXJmvVqKd";

    fn list(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    #[test]
    fn a_key_is_on_the_list_once_and_has_its_last_comment() {
        let commented = format!("{ONE} laptop");
        let add = KeyChange::Add(list(&[&commented, TWO]));
        assert_eq!(add.apply(list(&[ONE])).unwrap(), [commented.as_str(), TWO]);
    }

    #[test]
    fn a_key_is_removed_by_its_fingerprint() {
        let remove = KeyChange::Remove(fingerprint(ONE));
        assert_eq!(remove.apply(list(&[ONE, TWO])).unwrap(), [TWO]);
        let missing = AuthorizedKeyError::NoSuchKey(fingerprint(ONE));
        assert_eq!(remove.apply(list(&[TWO])), Err(missing));
    }

    #[test]
    fn a_list_has_a_limit() {
        let full: Vec<String> = (0..MOST_KEYS).map(|number| format!("{TWO}{number}")).collect();
        let add = KeyChange::Add(list(&[ONE]));
        assert_eq!(add.apply(full), Err(AuthorizedKeyError::TooMany { count: 33 }));
    }
}
