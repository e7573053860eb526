//! Certificate chains that an authority sent: checks that one is for a name and a key, and reads how long it is good.

use orchestrator_model::Timestamp;
use rustls::client::verify_server_name;
use rustls::crypto::ring as provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use time::{Date, Month, OffsetDateTime, Time};

use crate::Life;

/// The tags of what a certificate begins with (X.690).
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Reads a chain in PEM. Its first certificate has to be for the name, and for the key.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn read_chain(chain: &str, key: &str, name: &str) -> Result<Life, String> {
    let certificates = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|fault| format!("it is no PEM: {fault}"))?;
    let leaf = certificates.first().ok_or("there is no certificate in it")?;
    let life = read_life(leaf).ok_or("its dates cannot be read")?;
    let parsed = ParsedCertificate::try_from(leaf).map_err(|fault| fault.to_string())?;
    let server = ServerName::try_from(name.to_owned()).map_err(|fault| fault.to_string())?;
    verify_server_name(&parsed, &server).map_err(|fault| fault.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|fault| format!("its key is no PEM: {fault}"))?;
    let key = provider::sign::any_supported_type(&key).map_err(|fault| fault.to_string())?;
    let pair = CertifiedKey::new(certificates, key);
    pair.keys_match().map_err(|fault| fault.to_string())?;
    Ok(life)
}

/// The life of a certificate (RFC 5280, section 4.1).
fn read_life(der: &[u8]) -> Option<Life> {
    let (certificate, _) = take(der, SEQUENCE)?;
    let (mut body, _) = take(certificate, SEQUENCE)?;
    if let Some((_, rest)) = take(body, VERSION) {
        body = rest;
    }
    // The serial number, the algorithm and the issuer.
    for _ in 0..3 {
        body = take_any(body)?.2;
    }
    let (validity, _) = take(body, SEQUENCE)?;
    let (tag, from, rest) = take_any(validity)?;
    let from = read_time(tag, from)?;
    let (tag, until, _) = take_any(rest)?;
    let until = read_time(tag, until)?;
    (from < until).then_some(Life { from, until })
}

/// The content of an element with this tag, and what is behind it.
fn take(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = take_any(der)?;
    (tag == wanted).then_some((content, rest))
}

/// The tag and the content of an element, and what is behind it.
fn take_any(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        short @ 0..=0x7f => (usize::from(*short), rest),
        long @ 0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(*long & 0x7f))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// A moment: `YYMMDDHHMMSSZ`, or the same with four digits of the year.
fn read_time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match (tag, text.len()) {
        (UTC_TIME, 12) => {
            let (year, rest) = text.split_at_checked(2)?;
            let year = two_digits(year)?;
            (i32::from(year) + if year < 50 { 2000 } else { 1900 }, rest)
        }
        (GENERALIZED_TIME, 14) => {
            let (century, rest) = text.split_at_checked(2)?;
            let (year, rest) = rest.split_at_checked(2)?;
            (
                i32::from(two_digits(century)?) * 100 + i32::from(two_digits(year)?),
                rest,
            )
        }
        _ => return None,
    };
    let mut parts = [0; 5];
    for (index, part) in parts.iter_mut().enumerate() {
        *part = two_digits(rest.get(2 * index..2 * index + 2)?)?;
    }
    let [month, day, hour, minute, second] = parts;
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    let moment = OffsetDateTime::new_utc(date, Time::from_hms(hour, minute, second).ok()?);
    Some(Timestamp(moment.unix_timestamp() * 1000))
}

fn two_digits(text: &str) -> Option<u8> {
    let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_of_both_forms() {
        let seconds = |tag, text: &str| read_time(tag, text.as_bytes()).map(|at| at.0 / 1000);
        assert_eq!(seconds(UTC_TIME, "700101000001Z"), Some(1));
        assert_eq!(seconds(UTC_TIME, "261129090000Z"), Some(1795942800));
        assert_eq!(seconds(GENERALIZED_TIME, "20261129090000Z"), Some(1795942800));
        for bad in [
            "2611290900Z",
            "261329090000Z",
            "261129090000",
            "26112909000aZ",
            "+61129090000Z",
            "é1129090000Z",
        ] {
            assert_eq!(seconds(UTC_TIME, bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_chain_is_refused_with_its_reason() {
        let block = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        for (chain, fault) in [
            ("", "there is no certificate"),
            (block, "its dates"),
            ("-----BEGIN CERTIFICATE-----\nMAA=\n", "it is no PEM"),
        ] {
            let found = read_chain(chain, "", "a.example").unwrap_err();
            assert!(found.contains(fault), "{found}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_life(&bytes);
            let wrapped = [&[SEQUENCE, 0x82, 1, 44, SEQUENCE, 0x82, 1, 40][..], &bytes].concat();
            let _ = read_life(&wrapped);
        }
    }
}
