//! Why a caller is refused.

use orchestrator_model::Timestamp;

use super::signature::{AHEAD, BEHIND};

/// The reason why a token or a signature is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is no such token, or not any more.
    #[error("the token is not known here, or was removed; `orchestrator token ls` shows those there are")]
    Unknown,
    /// The token has ended.
    #[error("the token {name} ended at {until}; have an admin make another")]
    Ended {
        /// Its name.
        name: String,
        /// When it ended.
        until: Timestamp,
    },
    /// The token signs requests, and was sent itself.
    #[error(
        "{name} is a key that signs requests, and is never to be sent. It was sent now: rotate it, and sign requests with it"
    )]
    OnlySigns {
        /// Its name.
        name: String,
    },
    /// The token is not for signing.
    #[error("{name} is no key that signs requests; make one with `orchestrator token add NAME --sign`")]
    DoesNotSign {
        /// Its name.
        name: String,
    },
    /// The signature is not that of the request.
    #[error("the signature is not that of this request with this key; docs/api-access.md says what is signed")]
    BadSignature,
    /// The request was signed too long ago, or in the future.
    #[error(
        "the request was signed at {signed}, and it is {now} here; a request is accepted for {} seconds, and {} before its \
         time. Set the clocks",
        BEHIND.as_secs(),
        AHEAD.as_secs()
    )]
    Untimely {
        /// The time of the request, in seconds since 1970.
        signed: i64,
        /// The time here.
        now: i64,
    },
    /// The request may have been signed before the daemon began, and it does not know what it accepted then.
    #[error("the request may have been seen before the daemon started; sign it anew in a few seconds")]
    BeforeStart,
    /// The nonce was used before.
    #[error("a request with this nonce was accepted already; take a new nonce for every request")]
    Replayed,
    /// More requests were signed with the token than nonces are remembered.
    #[error("too many requests were signed with this key within a minute; try again later")]
    TooMany,
}

impl Denied {
    /// A stable word for counters and the API.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "token-unknown",
            Self::Ended { .. } => "token-ended",
            Self::OnlySigns { .. } => "token-only-signs",
            Self::DoesNotSign { .. } => "token-does-not-sign",
            Self::BadSignature => "bad-signature",
            Self::Untimely { .. } => "signature-untimely",
            Self::BeforeStart => "signed-before-start",
            Self::Replayed => "signature-replayed",
            Self::TooMany => "too-many-signed",
        }
    }

    /// Whether the same caller is to try again later.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::BeforeStart | Self::TooMany)
    }
}
