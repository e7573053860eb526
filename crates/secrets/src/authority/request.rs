//! Requests for certificates.

use std::net::IpAddr;
use std::time::Duration;

use crate::SecretsError;

/// A purpose of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The holder proves to clients that it is a server.
    Server,
    /// The holder proves to a server that it is a client.
    Client,
}

impl Purpose {
    /// A stable word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// A certificate that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    /// The common name, 1 to 64 printable ASCII characters. Verifiers use the names and addresses instead.
    pub subject: String,
    /// DNS names; the first label may be `*`.
    pub names: Vec<String>,
    /// IP addresses.
    pub addresses: Vec<IpAddr>,
    /// Its purposes; at least one.
    pub purposes: Vec<Purpose>,
    /// The validity, at least a minute. The certificate ends with its authority if that is earlier.
    pub validity: Duration,
}

const SHORTEST: Duration = Duration::from_secs(60);

impl CertificateRequest {
    /// Refuses values that no certificate can contain.
    pub(super) fn check(&self) -> Result<(), SecretsError> {
        let refuse = |reason: String| {
            Err(SecretsError::BadRequest {
                subject: self.subject.clone(),
                reason,
            })
        };
        let printable = self.subject.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if self.subject.is_empty() || self.subject.len() > 64 || !printable {
            return refuse("a subject has 1 to 64 printable ASCII characters".to_owned());
        }
        if self.purposes.is_empty() {
            return refuse("it is for no purpose".to_owned());
        }
        if self.purposes.contains(&Purpose::Server) && self.names.is_empty() && self.addresses.is_empty() {
            return refuse("a server needs a name or an address".to_owned());
        }
        if self.validity < SHORTEST {
            return refuse(format!("{:?} is too short; it takes a minute or more", self.validity));
        }
        match self.names.iter().find(|name| !is_dns_name(name)) {
            Some(name) => refuse(format!("{name:?} is no DNS name")),
            None => Ok(()),
        }
    }
}

fn is_dns_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(is_letter)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let rest = name.strip_prefix("*.").unwrap_or(name);
    // Digits alone would be read as an address.
    let is_number = rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    name.len() <= 253 && !is_number && rest.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_names() {
        for good in ["a", "host-1.example", "*.web.internal", "_srv.x"] {
            assert!(is_dns_name(good), "{good}");
        }
        for bad in [
            "", ".", "a..b", "a.", "-a", "a b", "*", "a.*.b", "10.0.0.1", "fd00::1", "ü.de", "a\0",
        ] {
            assert!(!is_dns_name(bad), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_certified_is_refused_with_its_reason() {
        let good = CertificateRequest {
            subject: "host one".to_owned(),
            names: vec!["one.example".to_owned()],
            addresses: Vec::new(),
            purposes: vec![Purpose::Server],
            validity: SHORTEST,
        };
        good.check().unwrap();
        let change = |change: fn(&mut CertificateRequest)| {
            let mut request = good.clone();
            change(&mut request);
            request.check().unwrap_err().to_string()
        };
        assert!(change(|request| request.subject.clear()).contains("1 to 64 printable"));
        assert!(change(|request| request.subject.push('\n')).contains("1 to 64 printable"));
        assert!(change(|request| request.names.clear()).contains("a server needs a name"));
        assert!(change(|request| request.purposes.clear()).contains("no purpose"));
        assert!(change(|request| request.names.push("a b".to_owned())).contains("\"a b\" is no DNS name"));
        assert!(change(|request| request.validity = Duration::from_secs(59)).contains("too short"));
    }
}
