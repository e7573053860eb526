//! Facts about others on the links.

use serde::{Deserialize, Serialize};

/// A server or router that is not ours and was seen on a link lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherFacts {
    /// The link.
    pub link: String,
    /// Which of both it is.
    pub kind: OtherKind,
    /// When it was recorded last, for people.
    pub at: String,
    /// What the timeline says of it: a sentence with its address and, where the kernel tells it, its port.
    pub detail: String,
}

/// What others serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OtherKind {
    /// It answers what clients ask by DHCPv6.
    Server,
    /// It advertises itself as a router.
    Router,
}
