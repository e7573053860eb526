//! Certificates as the standard has them (RFC 5280): keys on the curve P-256, version 3, random serial numbers.

use std::time::Duration;

use orchestrator_model::{Id, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use time::OffsetDateTime;

use super::{CertificateRequest, Issuing, Purpose};
use crate::key::fill;
use crate::{Secret, SecretsError, hex};

/// Clocks of those who verify may be behind by this much.
const SLACK: Duration = Duration::from_secs(3600);

/// Bytes of a serial number. RFC 5280 allows twenty (section 4.1.2.2).
const SERIAL_BYTES: usize = 16;

/// A certificate and its private key, both in PEM.
pub(super) struct Made {
    pub(super) certificate: String,
    pub(super) key: Secret,
    /// Hexadecimal digits.
    pub(super) serial: String,
}

/// Certificates know no fractions of a second: the moment at the beginning of its second.
pub(super) fn whole_seconds(moment: Timestamp) -> Timestamp {
    Timestamp(moment.0 - moment.0.rem_euclid(1000))
}

/// A new authority, which signs itself.
pub(super) fn make_authority(id: Id, at: Timestamp, until: Timestamp) -> Result<Made, SecretsError> {
    let fault = |error: rcgen::Error| fault("make a certificate authority", &error);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(fault)?;
    let serial = serial()?;
    let mut params = authority_params(id);
    params.not_before = moment(at.minus(SLACK))?;
    params.not_after = moment(until)?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let certificate = params.self_signed(&key).map_err(fault)?;
    Ok(Made {
        certificate: certificate.pem(),
        key: Secret::from(key.serialize_pem()),
        serial: hex::encode(&serial),
    })
}

/// The fixed parameters of an authority: its name and its usages.
fn authority_params(id: Id) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("orchestrator CA {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A certificate for a new key, signed by the authority.
pub(super) fn make_certificate(
    issuing: &Issuing,
    request: &CertificateRequest,
    at: Timestamp,
    until: Timestamp,
) -> Result<Made, SecretsError> {
    let fault = |error: rcgen::Error| fault("issue a certificate", &error);
    let authority_key = issuing.key.expose_text().unwrap_or_default();
    let authority_key = KeyPair::from_pem(authority_key).map_err(fault)?;
    let issuer = Issuer::new(authority_params(issuing.authority.id), authority_key);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(fault)?;
    let serial = serial()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&request.subject);
    params.subject_alt_names = alternative_names(request)?;
    // Not before its authority.
    params.not_before = moment(at.max(issuing.authority.created).minus(SLACK))?;
    params.not_after = moment(until)?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = request.purposes.iter().map(|purpose| usage(*purpose)).collect();
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &issuer).map_err(fault)?;
    Ok(Made {
        certificate: certificate.pem(),
        key: Secret::from(key.serialize_pem()),
        serial: hex::encode(&serial),
    })
}

fn alternative_names(request: &CertificateRequest) -> Result<Vec<SanType>, SecretsError> {
    let name = |name: &String| match name.as_str().try_into() {
        Ok(name) => Ok(SanType::DnsName(name)),
        Err(error) => Err(fault("issue a certificate", &error)),
    };
    let names = request.names.iter().map(name);
    let addresses = request.addresses.iter().map(|address| Ok(SanType::IpAddress(*address)));
    names.chain(addresses).collect()
}

fn usage(purpose: Purpose) -> ExtendedKeyUsagePurpose {
    match purpose {
        Purpose::Server => ExtendedKeyUsagePurpose::ServerAuth,
        Purpose::Client => ExtendedKeyUsagePurpose::ClientAuth,
    }
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// A positive number that nobody can foresee. Its first digit is not zero, so that it is written in one way only.
fn serial() -> Result<[u8; SERIAL_BYTES], SecretsError> {
    let mut serial = [0; SERIAL_BYTES];
    fill(&mut serial)?;
    serial[0] = serial[0] & 0x7f | 0x40;
    Ok(serial)
}

fn moment(at: Timestamp) -> Result<OffsetDateTime, SecretsError> {
    OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000)).map_err(|error| fault("date a certificate", &error))
}

pub(super) fn fault(doing: &'static str, error: &dyn std::error::Error) -> SecretsError {
    SecretsError::Certificate {
        doing,
        reason: error.to_string(),
    }
}
