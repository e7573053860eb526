//! What an authority is asked, and what it says.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;

/// The most characters of a text of an authority's that are shown.
const LONGEST: usize = 300;

/// What shows that a name is ours: a text that is to be had at a place on port 80 (RFC 8555, section 8.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proof {
    /// The last part of the path.
    pub token: String,
    /// The text.
    pub answer: String,
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
    /// There will be no certificate, and why.
    Invalid(String),
}

/// A request that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// Why not, in one line.
    pub reason: String,
    /// Whether the same order may succeed later. Otherwise it is over, and another one is needed.
    pub is_passing: bool,
    /// Whether nobody answered, so that nothing else would be answered either.
    pub is_unreachable: bool,
    /// How long the authority asks to be left alone.
    pub after: Option<Duration>,
}

/// A certificate authority. Each call is one question, with a time limit of its own.
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
