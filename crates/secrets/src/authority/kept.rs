//! Certificates that the daemon shows itself. They are kept sealed, so that a restart shows the same one.

use orchestrator_model::Timestamp;
use orchestrator_store::IssuedCertificate;

use super::{CertificateRequest, State};
use crate::{Room, Secret, SecretsError};

/// A certificate that is kept, with its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCertificate {
    /// The certificate, in PEM.
    pub certificate: String,
    /// Its private key, in PEM.
    pub key: Secret,
    /// Its serial number.
    pub serial: String,
}

impl Room {
    /// The certificate that is kept under this name, as long as it is one for this request, was not revoked, and has a
    /// third of its life left, and its authority is trusted. Otherwise another one, which is kept from now on.
    ///
    /// So after a rotation of the authority the certificate of the one before is shown for a while: who trusts only that
    /// one has time to learn of the new one.
    ///
    /// # Errors
    ///
    /// [`SecretsError::BadRequest`]; when the database is unreachable.
    pub async fn keep_certificate(
        &self,
        name: &str,
        request: &CertificateRequest,
        at: Timestamp,
    ) -> Result<KeptCertificate, SecretsError> {
        let row = format!("certificate/{name}");
        let kept = self.read(&row).await?;
        if let Some(kept) = kept.as_ref().and_then(|kept| read(kept, request))
            && self.is_good(&kept.serial, at).await?
        {
            return Ok(kept);
        }
        let issued = self.issue(request, at).await?;
        let kept = KeptCertificate {
            certificate: issued.certificate,
            key: issued.key,
            serial: issued.serial,
        };
        self.keep(&row, &write(&kept, request), at).await?;
        Ok(kept)
    }

    async fn is_good(&self, serial: &str, at: Timestamp) -> Result<bool, SecretsError> {
        let all = self.rows().certificates().await?;
        let Some(certificate) = all.into_iter().find(|known| known.serial == serial) else {
            return Ok(false);
        };
        let authorities = self.rows().authorities().await?;
        let authority = authorities.iter().find(|known| known.id == certificate.authority);
        let is_trusted = authority.is_some_and(|known| State::of(known, at) != State::Ended);
        Ok(is_trusted && certificate.revoked.is_none() && has_life(&certificate, at))
    }
}

/// Whether a third of its life is left.
fn has_life(certificate: &IssuedCertificate, at: Timestamp) -> bool {
    let life = certificate.until.since(certificate.created);
    at.plus(life / 3) < certificate.until
}

/// What it was asked for, in one line.
fn asked(request: &CertificateRequest) -> String {
    let addresses = request.addresses.iter().map(ToString::to_string);
    let names: Vec<String> = request.names.iter().cloned().chain(addresses).collect();
    names.join(" ")
}

/// The serial number, what it is for, and then the certificate and its key.
fn write(kept: &KeptCertificate, request: &CertificateRequest) -> Secret {
    let mut text = format!("{}\n{}\n{}", kept.serial, asked(request), kept.certificate).into_bytes();
    text.push(b'\0');
    text.extend(kept.key.expose());
    Secret::new(text)
}

fn read(secret: &Secret, request: &CertificateRequest) -> Option<KeptCertificate> {
    let (head, key) = secret.expose_text()?.split_once('\0')?;
    let mut lines = head.splitn(3, '\n');
    let (serial, names, certificate) = (lines.next()?, lines.next()?, lines.next()?);
    Some(KeptCertificate {
        certificate: certificate.to_owned(),
        key: Secret::from(key.to_owned()),
        serial: serial.to_owned(),
    })
    .filter(|_| names == asked(request))
}
