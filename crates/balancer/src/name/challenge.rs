//! Challenges of ACME.

use std::fmt;

use super::NameFault;

/// A challenge of the kind http-01 (RFC 8555, section 8.3), with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Challenge {
    token: String,
    answer: String,
}

impl Challenge {
    /// Of a token and the key authorization that answers it.
    ///
    /// # Errors
    ///
    /// When one of them has other characters than the standard allows.
    pub fn new(token: &str, answer: &str) -> Result<Self, NameFault> {
        for (text, more) in [(token, ""), (answer, ".")] {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c) || more.contains(c);
            if text.is_empty() || text.len() > 256 || !text.chars().all(plain) {
                return Err(NameFault::Challenge(text.to_owned()));
            }
        }
        Ok(Self {
            token: token.to_owned(),
            answer: answer.to_owned(),
        })
    }

    /// Where it is asked for.
    pub(crate) fn path(&self) -> String {
        format!("/.well-known/acme-challenge/{}", self.token)
    }

    /// Its answer.
    pub fn answer(&self) -> &str {
        &self.answer
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.token)
    }
}
