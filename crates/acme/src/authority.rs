//! The questions to a certificate authority, and its answers.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::life::LONGEST_PAUSE;

/// The most characters of a text of an authority's that are shown.
const LONGEST: usize = 300;
/// The most characters of the answer of a proof.
const LONGEST_ANSWER: usize = 256;

/// A proof that a name is ours. The balancers serve its answer on port 80, at a path that ends in its token (RFC 8555,
/// section 8.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Proof {
    /// The last part of the path.
    pub token: String,
    /// The text.
    pub answer: String,
}

impl Proof {
    /// Whether balancers can show it: it has no other characters than the standard allows, and is short.
    pub fn can_be_shown(&self) -> bool {
        let is_plain = |text: &str, more: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c) || more.contains(c);
            !text.is_empty() && text.len() <= LONGEST_ANSWER && text.chars().all(plain)
        };
        is_plain(&self.token, "") && is_plain(&self.answer, ".")
    }
}

/// How far an order is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The authority does not believe yet that the name is ours.
    Pending {
        /// The proofs that the balancers have to show.
        proofs: BTreeSet<Proof>,
        /// Whether we have asked the authority to check the proofs.
        is_answered: bool,
    },
    /// The authority wants to know the key.
    Ready,
    /// The authority makes the certificate.
    Processing,
    /// The certificate can be fetched.
    Valid,
    /// The order ended without a certificate, for this reason.
    Invalid(String),
}

/// The questions that would meet the same refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// None, and the refusal says nothing of the order: our own side failed, such as the record.
    Ours,
    /// Those about the same order, or the same name.
    One,
    /// Each further order, of any name.
    Orders,
    /// All: the authority cannot be reached, or does not accept our account.
    All,
}

/// A request that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// Why not, in one line.
    pub reason: String,
    /// Whether the same order may succeed later. Otherwise it is over, and another one is needed.
    pub is_passing: bool,
    /// Which other questions would be refused for the same reason. They are not asked in the same turn.
    pub reach: Reach,
    /// How long the authority asks to be left alone.
    pub after: Option<Duration>,
}

impl Refusal {
    /// A refusal of one question. The same order may succeed later.
    pub fn passing(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            is_passing: true,
            reach: Reach::One,
            after: None,
        }
    }

    /// A failure of our own side. The same order goes on later.
    pub fn ours(reason: impl Into<String>) -> Self {
        Self {
            reach: Reach::Ours,
            ..Self::passing(reason)
        }
    }

    /// A refusal that ends an order.
    pub fn over(reason: impl Into<String>) -> Self {
        Self {
            is_passing: false,
            ..Self::passing(reason)
        }
    }

    /// A certificate that was issued is of no use. The next one probably is not either, and authorities limit how many they
    /// issue for a name: the next order is placed a day later.
    pub(crate) fn wasted(reason: impl Into<String>) -> Self {
        Self {
            after: Some(LONGEST_PAUSE),
            ..Self::over(reason)
        }
    }

    /// The same refusal for all questions. It ends no order, because it is not about an order.
    #[must_use]
    pub fn of_all(self) -> Self {
        Self {
            is_passing: true,
            reach: Reach::All,
            ..self
        }
    }
}

/// A certificate authority. Each call takes a limited time.
///
/// Once an order has the signing request, a certificate may exist for it. So its calls refuse for good
/// ([`Refusal::over`]) only when the authority does not know the order any more.
#[async_trait]
pub trait Authority: Send + Sync {
    /// Orders a certificate for a name. Returns the URL of the order.
    async fn place(&mut self, name: &str) -> Result<String, Refusal>;

    /// Asks how far an order is.
    async fn look(&mut self, order: &str) -> Result<Standing, Refusal>;

    /// Says that every proof of an order is shown.
    async fn answer(&mut self, order: &str) -> Result<(), Refusal>;

    /// Sends the signing request (RFC 2986, in DER) of an order that is ready.
    async fn finalize(&mut self, order: &str, request: &[u8]) -> Result<(), Refusal>;

    /// Fetches the certificate chain of an order that is valid, in PEM.
    async fn fetch(&mut self, order: &str) -> Result<String, Refusal>;
}

/// A text of an authority's in one line: short, and without control characters.
pub(crate) fn in_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    line.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_an_authority_is_one_short_line() {
        assert_eq!(in_one_line("a\r\n\tb\u{1b}[1m"), "a b[1m");
        assert_eq!(in_one_line(&"é".repeat(1000)).chars().count(), LONGEST);
    }

    #[test]
    fn a_proof_with_other_characters_or_a_long_one_cannot_be_shown() {
        let can = |token: &str| {
            let answer = format!("{token}.print");
            let token = token.to_owned();
            Proof { token, answer }.can_be_shown()
        };
        assert!(can("aZ09-_") && can(&"a".repeat(250)));
        for bad in ["", "a.b", "a/b", "a b", "é", &"a".repeat(251)] {
            assert!(!can(bad), "{bad}");
        }
    }
}
