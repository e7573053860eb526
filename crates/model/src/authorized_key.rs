//! SSH public keys that may log in.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// The SSH keys that may log in to the instances of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientKeys {
    /// Those on its own list, which it or somebody for it gave.
    pub own: Vec<String>,
    /// Those of its reservations.
    pub reserved: Vec<String>,
}

impl ClientKeys {
    /// All of them, each once: those of its reservations first.
    pub fn all(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for key in self.reserved.iter().chain(&self.own) {
            if !all.iter().any(|known| fingerprint(known) == fingerprint(key)) {
                all.push(key.clone());
            }
        }
        all
    }
}

/// The largest number of keys of one client.
pub const MOST_KEYS: usize = 32;
/// The largest size of one key, in bytes.
const LARGEST_KEY: usize = 4096;
/// The kinds of keys, as OpenSSH names them.
const KINDS: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// A text is no list of SSH public keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizedKeyError {
    /// One of them is no key.
    #[error(
        "line {line} is not an SSH public key; a key is one line like \"ssh-ed25519 AAAAC3Nz… me@laptop\", as in a file whose \
         name ends in .pub"
    )]
    NoKey {
        /// Its place, from 1.
        line: usize,
    },
    /// The list does not have it.
    #[error("the client has no SSH key with the fingerprint {0} on its own list")]
    NoSuchKey(String),
    /// There are too many.
    #[error("{count} keys are too many; give at most {MOST_KEYS}")]
    TooMany {
        /// Their number.
        count: usize,
    },
}

impl AuthorizedKeyError {
    /// A stable word for the API.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoKey { .. } => "bad-key",
            Self::NoSuchKey(_) => "no-such-key",
            Self::TooMany { .. } => "too-many-keys",
        }
    }
}

/// The fingerprint of a key, as `ssh-keygen -l` shows it: `SHA256:` and the hash of the key in base 64 without padding. That
/// of a text that is no key is of its second word.
pub fn fingerprint(key: &str) -> String {
    let coded = key.split_whitespace().nth(1).unwrap_or_default();
    let bytes = STANDARD.decode(coded).unwrap_or_else(|_| coded.as_bytes().to_vec());
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(bytes)))
}

/// Checks public keys, one a line. Each is returned with single blanks: its kind, the key and the comment. A key is
/// given once.
///
/// # Errors
///
/// [`AuthorizedKeyError`] for the first that is none, or if there are too many.
pub fn parse_keys(lines: &[String]) -> Result<Vec<String>, AuthorizedKeyError> {
    if lines.len() > MOST_KEYS {
        return Err(AuthorizedKeyError::TooMany { count: lines.len() });
    }
    let mut keys = Vec::new();
    for (line, text) in (1..).zip(lines) {
        let key = parse_key(text).ok_or(AuthorizedKeyError::NoKey { line })?;
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// One key. Options before it, such as a command, are refused: a key only says who may log in.
fn parse_key(text: &str) -> Option<String> {
    if text.len() > LARGEST_KEY || text.chars().any(char::is_control) {
        return None;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let (kind, coded) = (*words.first()?, *words.get(1)?);
    let bytes = STANDARD.decode(coded).ok()?;
    // The key itself says its kind, too (RFC 4253, section 6.6).
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let is_kind = rest.get(..length)? == kind.as_bytes() && rest.len() > length;
    (KINDS.contains(&kind) && is_kind).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFxNNfzrqW3sTmNJrC5hQWLVo3hL8mGzRZ3lXJmvVqKd";

    fn parse(lines: &[&str]) -> Result<Vec<String>, AuthorizedKeyError> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        parse_keys(&lines)
    }

    #[test]
    fn keys_are_taken_once_and_with_single_blanks() {
        let commented = format!("  {KEY}   me@laptop  at home ");
        let keys = parse(&[KEY, &commented, KEY]).unwrap();
        assert_eq!(keys, [KEY.to_owned(), format!("{KEY} me@laptop at home")]);
        assert_eq!(parse(&[]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_fingerprint_is_that_of_openssh() {
        assert_eq!(
            fingerprint(&format!("{KEY} me")),
            "SHA256:oH/ngppVyusDP11pmuUWKaNq2scx04iJFPZMr8RzMpo"
        );
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_line() {
        let forced = format!("command=\"/bin/sh\" {KEY}");
        let other_kind = KEY.replace("ssh-ed25519", "ssh-rsa");
        let two_lines = format!("{KEY}\nssh-rsa AAAA");
        for wrong in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-ed25519 !!!!",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            &forced,
            &other_kind,
            &two_lines,
        ] {
            assert_eq!(
                parse(&[KEY, wrong]),
                Err(AuthorizedKeyError::NoKey { line: 2 }),
                "{wrong}"
            );
        }
        let many = vec![KEY; MOST_KEYS + 1];
        assert_eq!(parse(&many), Err(AuthorizedKeyError::TooMany { count: 33 }));
    }
}
