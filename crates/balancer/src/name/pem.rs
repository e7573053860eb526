//! Certificates with their keys, as HAProxy reads them.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::NameFault;

/// The most bytes of a certificate chain with its key. More does not fit into one command of the runtime API.
const LONGEST: usize = 24 * 1024;

/// A certificate chain and its private key, in PEM (RFC 7468). It has no line but those of blocks of PEM, and no empty one.
///
/// Clones share the text, and the name is worked out once.
#[derive(Clone)]
pub struct Pem {
    text: Arc<str>,
    name: CertificateName,
}

impl Pem {
    /// Takes the blocks out of texts: the chain, and the key. What is between blocks is left out.
    ///
    /// # Errors
    ///
    /// When there is no certificate or not one private key, or when a block has other characters than PEM has.
    pub fn new(chain: &str, key: &str) -> Result<Self, NameFault> {
        let mut text = String::new();
        for part in [chain, key] {
            take_blocks(part, &mut text)?;
        }
        if text.len() > LONGEST {
            return Err(NameFault::Pem("the chain and the key are longer than 24 KiB"));
        }
        if !text.contains("-----BEGIN CERTIFICATE-----\n") {
            return Err(NameFault::Pem("there is no certificate in it"));
        }
        match text.matches("PRIVATE KEY-----\n").count() {
            2 => Ok(Self {
                name: CertificateName::of(&text),
                text: text.into(),
            }),
            0 => Err(NameFault::Pem("there is no private key in it")),
            _ => Err(NameFault::Pem("there is more than one private key in it")),
        }
    }

    /// The text. Each line ends with a newline, and none is empty.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name under which HAProxy has it.
    pub fn name(&self) -> &CertificateName {
        &self.name
    }
}

/// Two with the same name are equal: the name is a digest of the whole text.
impl PartialEq for Pem {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Pem {}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pem({})", self.name())
    }
}

/// Adds the blocks of a text.
fn take_blocks(text: &str, blocks: &mut String) -> Result<(), NameFault> {
    let mut within: Option<&str> = None;
    for line in text.lines().map(str::trim_end) {
        let begins = line
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.strip_suffix("-----"));
        let ends = line
            .strip_prefix("-----END ")
            .and_then(|rest| rest.strip_suffix("-----"));
        match (within, begins, ends) {
            (None, Some(label), _) if is_label(label) => within = Some(label),
            (None, ..) => continue,
            (Some(label), None, Some(end)) if end == label => within = None,
            (Some(_), None, None) if is_base64(line) => {}
            _ => return Err(NameFault::Pem("a line of it is no line of PEM (RFC 7468)")),
        }
        blocks.push_str(line);
        blocks.push('\n');
    }
    match within {
        None => Ok(()),
        Some(_) => Err(NameFault::Pem("a block of it does not end")),
    }
}

/// The labels of what a server needs.
fn is_label(label: &str) -> bool {
    matches!(
        label,
        "CERTIFICATE" | "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY"
    )
}

fn is_base64(line: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    !line.is_empty() && line.len() <= 76 && line.bytes().all(plain)
}

/// The name of a certificate in HAProxy: a digest of the whole text, so that equal names mean equal certificates and keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertificateName(Arc<str>);

impl CertificateName {
    /// The name of a text.
    fn of(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let digits: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        Self(digits.into())
    }

    /// A name that HAProxy has; `None` for a file that is not of ours.
    pub(crate) fn as_reported(file: &str) -> Option<Self> {
        let name = file.rsplit('/').next()?.strip_suffix(".pem")?;
        let is_ours = name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_ours.then(|| Self(name.into()))
    }

    /// Its file in the directory of the configuration.
    pub fn file(&self) -> String {
        format!("certificates/{}.pem", self.0)
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
