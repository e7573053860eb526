//! Certificates that the authority issues, and revokes.

use orchestrator_model::Timestamp;
use orchestrator_store::{IssuedCertificate, Written};

use super::{CertificateRequest, x509};
use crate::room::TRIES;
use crate::{Room, Secret, SecretsError};

/// A certificate that was issued, with the private key that was made for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The certificate, in PEM.
    pub certificate: String,
    /// The certificate of the authority that signed it, in PEM.
    pub authority: String,
    /// Its private key, in PEM (PKCS #8). It is nowhere else.
    pub key: Secret,
    /// Its serial number: hexadecimal digits.
    pub serial: String,
    /// When it ends.
    pub until: Timestamp,
}

impl Room {
    /// Issues a certificate for a new private key. The certificate is on record before it is given out.
    ///
    /// # Errors
    ///
    /// [`SecretsError::BadRequest`]; when the database is unreachable.
    pub async fn issue(&self, request: &CertificateRequest, at: Timestamp) -> Result<Issued, SecretsError> {
        request.check()?;
        for _ in 0..TRIES {
            let issuing = self.issuing(at).await?;
            let until = x509::whole_seconds(at.plus(request.validity)).min(issuing.authority.until);
            let made = x509::make_certificate(&issuing, request, at, until)?;
            let record = IssuedCertificate {
                serial: made.serial.clone(),
                authority: issuing.authority.id,
                subject: request.subject.clone(),
                purpose: purpose(request),
                created: at,
                until,
                revoked: None,
            };
            match self.rows().add_certificate(record).await? {
                Written::Done => {
                    return Ok(Issued {
                        certificate: made.certificate,
                        authority: issuing.authority.certificate,
                        key: made.key,
                        serial: made.serial,
                        until,
                    });
                }
                // Another authority issues since.
                Written::Outrun => {}
            }
        }
        Err(SecretsError::Contended {
            doing: "issue a certificate",
        })
    }

    /// Revokes a certificate; `false` when there is none of this serial number that is not revoked yet.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn revoke(&self, serial: &str, at: Timestamp) -> Result<bool, SecretsError> {
        Ok(self.rows().revoke_certificate(serial, at).await?)
    }

    /// Whether a certificate was revoked. One that is not on record was not: it has ended, or is of somebody else.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn is_revoked(&self, serial: &str) -> Result<bool, SecretsError> {
        let all = self.rows().certificates().await?;
        Ok(all
            .iter()
            .any(|known| known.serial == serial && known.revoked.is_some()))
    }
}

fn purpose(request: &CertificateRequest) -> String {
    let mut purposes = request.purposes.clone();
    purposes.sort_unstable();
    purposes.dedup();
    let words: Vec<&str> = purposes.into_iter().map(|purpose| purpose.word()).collect();
    words.join(" ")
}
