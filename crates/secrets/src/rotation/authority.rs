//! Replaces the certificate authority by a new one.

use orchestrator_model::{Id, Timestamp};

use crate::room::TRIES;
use crate::{Room, SecretsError};

/// The result of a rotation of the authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotatedAuthority {
    /// The authority before, and until when its certificates are accepted.
    pub from: Option<(Id, Timestamp)>,
    /// The new authority.
    pub to: Id,
}

impl Room {
    /// Creates a new authority, which issues from now on. Certificates of earlier ones are accepted until they end;
    /// with `ends_others` they are refused at once.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or the authority cannot be made.
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
