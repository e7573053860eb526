//! A new certificate authority takes the place of the old one.

use orchestrator_model::{Id, Timestamp};

use crate::room::TRIES;
use crate::{Room, SecretsError};

/// The result of a rotation of the authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotatedAuthority {
    /// The authority that issued until now, and until when what it issued is accepted.
    pub from: Option<(Id, Timestamp)>,
    /// The authority that issues.
    pub to: Id,
}

impl Room {
    /// Makes a new authority, which issues from now on. What the earlier ones have issued is accepted until it ends, or
    /// with `ends_others` no more.
    ///
    /// # Errors
    ///
    /// When the database is away, or the authority cannot be made.
    pub async fn rotate_authority(&self, ends_others: bool, at: Timestamp) -> Result<RotatedAuthority, SecretsError> {
        for _ in 0..TRIES {
            let all = self.rows().authorities().await?;
            let issuing = all.iter().find(|authority| authority.retired.is_none());
            let replaces = issuing.map(|authority| authority.id);
            let Some(to) = self.add_authority(replaces, ends_others, at).await? else {
                continue;
            };
            let now = self.rows().authorities().await?;
            let from = now.into_iter().find(|authority| Some(authority.id) == replaces);
            return Ok(RotatedAuthority {
                from: from.map(|authority| (authority.id, authority.trusted_until)),
                to,
            });
        }
        Err(SecretsError::Contended {
            doing: "make a new certificate authority",
        })
    }
}
