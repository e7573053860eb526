//! Lists secrets, authorities and certificates, without any value.

use orchestrator_secrets::{Listed, SecretsError, State, find_key};
use orchestrator_store::{Authority, IssuedCertificate};
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::{Output, table};
use super::Place;
use orchestrator_model::Timestamp;

/// The secrets, authorities and certificates in the database.
struct Holdings {
    secrets: Vec<Listed>,
    authorities: Vec<Authority>,
    certificates: Vec<IssuedCertificate>,
}

impl Holdings {
    async fn of(place: &Place) -> Result<Self, SecretsError> {
        Ok(Self {
            secrets: Listed::all(&place.rows).await?,
            authorities: place.rows.authorities().await?,
            certificates: place.rows.certificates().await?,
        })
    }
}

/// Lists everything. Fails afterwards if the key file does not open the secrets.
pub(super) async fn list(place: &Place, output: Output) -> Result<(), Failure> {
    let holdings = Holdings::of(place).await?;
    let key = find_key(&place.rows, &place.file).await;
    let shown = key.as_ref().map(ToString::to_string).ok();
    let file = place.file.path().display().to_string();
    let at = Timestamp::wall();
    if output.is_data() {
        table::print(&table::data(output, &as_json(&holdings, &file, shown.as_deref(), at))?)?;
    } else {
        let key = shown.unwrap_or_else(|| "not the key of these secrets".to_owned());
        table::print(&format!("key file {file}: {key}{}", as_text(&holdings, at)))?;
    }
    match key {
        Ok(_) | Err(SecretsError::Nothing) => Ok(()),
        Err(fault) => Err(fault.into()),
    }
}

/// Prints the certificates of the trusted authorities. This needs no key.
pub(super) async fn authorities(place: &Place) -> Result<(), Failure> {
    let at = Timestamp::wall();
    let all = place.rows.authorities().await.map_err(SecretsError::from)?.into_iter();
    let trusted = all.filter(|authority| State::of(authority, at) != State::Ended);
    table::print(&trusted.map(|authority| authority.certificate).collect::<String>())
}

fn as_text(holdings: &Holdings, at: Timestamp) -> String {
    let mut tables = Vec::new();
    let or_dash = |moment: Option<Timestamp>| moment.map_or("-".to_owned(), |moment| moment.to_string());
    if !holdings.secrets.is_empty() {
        let row = |secret: &Listed| {
            vec![
                secret.name.clone(),
                secret.key.map_or("damaged".to_owned(), |key| key.to_string()),
                secret.created.to_string(),
                or_dash(secret.rotated),
            ]
        };
        tables.push(table::table(
            &["SECRET", "KEY", "CREATED", "ROTATED"],
            holdings.secrets.iter().map(row),
        ));
    }
    if !holdings.authorities.is_empty() {
        let row = |authority: &Authority| {
            vec![
                authority.id.to_string(),
                State::of(authority, at).word().to_owned(),
                authority.created.to_string(),
                authority.trusted_until.to_string(),
            ]
        };
        let header = ["AUTHORITY", "IS", "CREATED", "TRUSTED UNTIL"];
        tables.push(table::table(&header, holdings.authorities.iter().map(row)));
    }
    if !holdings.certificates.is_empty() {
        let row = |certificate: &IssuedCertificate| {
            vec![
                certificate.serial.clone(),
                certificate.subject.clone(),
                certificate.purpose.clone(),
                certificate.until.to_string(),
                or_dash(certificate.revoked),
            ]
        };
        let header = ["CERTIFICATE", "FOR", "AS", "UNTIL", "REVOKED"];
        tables.push(table::table(&header, holdings.certificates.iter().map(row)));
    }
    // Each begins on a line of its own.
    tables.iter().map(|table| format!("\n{table}")).collect()
}

fn as_json(holdings: &Holdings, file: &str, key: Option<&str>, at: Timestamp) -> Value {
    let secret = |secret: &Listed| {
        json!({
            "name": secret.name,
            "key": secret.key.map(|key| key.to_string()),
            "created": secret.created,
            "rotated": secret.rotated,
        })
    };
    let authority = |authority: &Authority| {
        json!({
            "id": authority.id.to_string(),
            "state": State::of(authority, at).word(),
            "created": authority.created,
            "until": authority.until,
            "trusted_until": authority.trusted_until,
            "certificate": authority.certificate,
        })
    };
    let certificate = |certificate: &IssuedCertificate| {
        json!({
            "serial": certificate.serial,
            "authority": certificate.authority.to_string(),
            "subject": certificate.subject,
            "purpose": certificate.purpose,
            "created": certificate.created,
            "until": certificate.until,
            "revoked": certificate.revoked,
        })
    };
    json!({
        "key_file": file,
        "key": key,
        "secrets": holdings.secrets.iter().map(secret).collect::<Vec<_>>(),
        "authorities": holdings.authorities.iter().map(authority).collect::<Vec<_>>(),
        "certificates": holdings.certificates.iter().map(certificate).collect::<Vec<_>>(),
    })
}
