//! The certificate authority: one that issues, and those before it that are trusted until what they issued has ended.
//!
//! ```text
//!            first use                  rotated                    its last certificate ends, or at once
//!   (none) ───────────▶ issuing ─────────────────────▶ trusted ──────────────────────────────────▶ ended
//! ```
//!
//! The private key of the one that issues is a secret of the room. It is forgotten when the next one takes its place:
//! what is trusted can issue nothing more.

mod elsewhere;
mod issue;
mod kept;
mod request;
mod x509;

use std::time::Duration;

use orchestrator_model::{Id, Timestamp};
use orchestrator_store::{Authority, NewAuthority, Written, authority_key_name};

use crate::room::{TRIES, row};
use crate::{Room, Secret, SecretsError};
pub use elsewhere::{new_private_key, signing_request};
pub use issue::Issued;
pub use kept::KeptCertificate;
pub use request::{CertificateRequest, Purpose};

/// How long an authority lives.
const LIFETIME: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The standing of an authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It issues certificates.
    Issuing,
    /// Certificates that it issued are accepted.
    Trusted,
    /// Certificates that it issued are refused.
    Ended,
}

impl State {
    /// The standing of an authority at a moment.
    pub fn of(authority: &Authority, at: Timestamp) -> Self {
        match authority.retired {
            _ if authority.trusted_until <= at => Self::Ended,
            None => Self::Issuing,
            Some(_) => Self::Trusted,
        }
    }

    /// A stable word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Issuing => "issuing",
            Self::Trusted => "trusted",
            Self::Ended => "ended",
        }
    }
}

/// An authority with its private key.
pub(crate) struct Issuing {
    pub(crate) authority: Authority,
    pub(crate) key: Secret,
}

impl Room {
    /// The authorities whose certificates are accepted at a moment, the oldest first. There is one at least.
    ///
    /// The first call ever makes the authority.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or the authority cannot be made.
    pub async fn trusted(&self, at: Timestamp) -> Result<Vec<Authority>, SecretsError> {
        self.issuing(at).await?;
        let all = self.rows().authorities().await?.into_iter();
        Ok(all
            .filter(|authority| State::of(authority, at) != State::Ended)
            .collect())
    }

    /// The authority that issues, which is made where there is none.
    pub(crate) async fn issuing(&self, at: Timestamp) -> Result<Issuing, SecretsError> {
        for _ in 0..TRIES {
            let all = self.rows().authorities().await?;
            let last = all.into_iter().find(|authority| authority.retired.is_none());
            match last {
                Some(authority) if authority.until > at => {
                    // The rotation that replaced it has removed its key.
                    if let Some(key) = self.read(&authority_key_name(authority.id)).await? {
                        return Ok(Issuing { authority, key });
                    }
                }
                ended_or_none => {
                    let replaces = ended_or_none.map(|authority| authority.id);
                    // Made, or somebody else was faster: the next turn finds it.
                    let _ = self.add_authority(replaces, false, at).await?;
                }
            }
        }
        Err(SecretsError::Contended {
            doing: "find the certificate authority",
        })
    }

    /// Makes an authority in place of another; `None` when another key or authority came in between.
    pub(crate) async fn add_authority(
        &self,
        replaces: Option<Id>,
        ends_others: bool,
        at: Timestamp,
    ) -> Result<Option<Id>, SecretsError> {
        let id = Id::random().map_err(|_| SecretsError::Random)?;
        let until = x509::whole_seconds(at.plus(LIFETIME));
        let made = x509::make_authority(id, at, until)?;
        let in_force = self.in_force();
        let new = NewAuthority {
            id,
            certificate: made.certificate,
            until,
            sealed_key: in_force.key().seal(row(&authority_key_name(id)), &made.key)?,
            replaces,
            ends_others,
            at,
        };
        match self.rows().add_authority(in_force.witness(), new).await? {
            Written::Done => {
                tracing::info!(authority = %id, %until, "made a certificate authority");
                Ok(Some(id))
            }
            Written::Outrun => {
                self.refresh(at).await?;
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests;
