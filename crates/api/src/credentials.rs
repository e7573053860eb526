//! The credentials of a request: a token that is sent with it, or a signature.
//!
//! ```text
//!   Authorization: Bearer orct_3f9a2c01d2e4_…
//!   Authorization: HMAC token=3f9a2c01d2e4, time=1800000000, nonce=…, signature=…
//! ```
//!
//! Where a request has some, they decide about its caller, on every kind of socket. On TLS a request without any is refused.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use orchestrator_model::{Id, Timestamp};
use orchestrator_secrets::{Granted, SignedRequest, Tokens};

use super::ControlError;
use super::peer::Standing;
use super::problem::Fault;

/// Finds the tokens, and the time of the daemon's clock.
pub(super) type Keeper = Arc<dyn Fn() -> Result<(Tokens, Timestamp), ControlError> + Send + Sync>;

/// What a request proves its caller with.
pub(super) enum Credentials {
    /// Nothing.
    None,
    /// A token.
    Sent(String),
    /// A signature, with what belongs to it.
    Signed(Signature),
}

/// The parts of a signature in a header.
pub(super) struct Signature {
    token: Id,
    time: i64,
    nonce: String,
    signature: String,
}

impl Credentials {
    /// Reads the credentials of a request.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Fault> {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let text = match (given.next(), given.next()) {
            (None, _) => return Ok(Self::None),
            (Some(one), None) => one.to_str().map_err(|_| malformed())?,
            (Some(_), Some(_)) => return Err(malformed()),
        };
        let (scheme, rest) = text.split_once(' ').ok_or_else(malformed)?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Self::Sent(rest.to_owned()));
        }
        if scheme.eq_ignore_ascii_case("hmac") {
            return Signature::read(rest).map(Self::Signed).ok_or_else(malformed);
        }
        Err(malformed())
    }

    /// Whether the request is signed.
    pub(super) fn is_signed(&self) -> bool {
        matches!(self, Self::Signed(_))
    }

    /// What the token grants that was sent. `None` for a request without one that needs none, or that is signed.
    pub(super) fn check_sent(&self, keeper: &Keeper, standing: Standing) -> Result<Option<Arc<Granted>>, Fault> {
        match self {
            Self::None if standing == Standing::ByToken => Err(missing()),
            Self::None | Self::Signed(_) => Ok(None),
            Self::Sent(token) => {
                let (tokens, now) = keeper()?;
                Ok(Some(Arc::new(tokens.sent(token, now)?)))
            }
        }
    }

    /// What the key grants that has signed the request. `None` for a request that is not signed.
    pub(super) fn check_signed(
        &self,
        keeper: &Keeper,
        request: &Request,
        body: &[u8],
    ) -> Result<Option<Arc<Granted>>, Fault> {
        let Self::Signed(signature) = self else {
            return Ok(None);
        };
        let (tokens, now) = keeper()?;
        let uri = request.uri();
        let signed = SignedRequest {
            token: signature.token,
            method: request.method().as_str(),
            target: uri.path_and_query().map_or(uri.path(), |target| target.as_str()),
            time: signature.time,
            nonce: &signature.nonce,
            body,
            signature: &signature.signature,
        };
        Ok(Some(Arc::new(tokens.signed(&signed, now)?)))
    }

    /// Refuses a signature where the body is not in memory.
    pub(super) fn refuse_signed(&self) -> Result<(), Fault> {
        if self.is_signed() {
            let detail = "an archive is passed on as it comes, so that its signature cannot be verified; send a token";
            return Err(Fault::new(StatusCode::UNAUTHORIZED, "cannot-be-signed", detail));
        }
        Ok(())
    }
}

impl Signature {
    /// Reads `token=…, time=…, nonce=…, signature=…`, each once, in any order.
    fn read(text: &str) -> Option<Self> {
        let (mut token, mut time, mut nonce, mut signature) = (None, None, None, None);
        for part in text.split(',') {
            let (name, value) = part.trim().split_once('=')?;
            let place = match name {
                "token" => &mut token,
                "time" => &mut time,
                "nonce" => &mut nonce,
                "signature" => &mut signature,
                _ => return None,
            };
            if place.replace(value).is_some() {
                return None;
            }
        }
        Some(Self {
            token: token?.parse().ok()?,
            time: time?.parse().ok()?,
            nonce: nonce?.to_owned(),
            signature: signature?.to_owned(),
        })
    }
}

fn malformed() -> Fault {
    let detail = "the Authorization header is none that is known here; send one, \"Bearer TOKEN\" or \"HMAC token=ID, \
                  time=SECONDS, nonce=TEXT, signature=HEX\"; docs/api-access.md describes both";
    Fault::new(StatusCode::UNAUTHORIZED, "bad-authorization", detail)
}

fn missing() -> Fault {
    let detail = "a request needs a token here: have an admin make one with `orchestrator token add`, and send it as \
                  \"Authorization: Bearer TOKEN\", or set ORCHESTRATOR_TOKEN for the command line";
    Fault::new(StatusCode::UNAUTHORIZED, "token-missing", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[&str]) -> Result<Credentials, &'static str> {
        let mut map = HeaderMap::new();
        for text in headers {
            map.append(header::AUTHORIZATION, text.parse().unwrap());
        }
        Credentials::of(&map).map_err(|fault| fault.code())
    }

    #[test]
    fn tokens_and_signatures_are_read() {
        assert!(matches!(read(&[]), Ok(Credentials::None)));
        assert!(matches!(read(&["bearer  abc "]), Ok(Credentials::Sent(token)) if token == "abc"));
        let Ok(Credentials::Signed(read)) = read(&["HMAC token=3f9a2c01d2e4,nonce=x, time=7 , signature=ab"]) else {
            panic!("it is a signature");
        };
        assert_eq!((read.token.to_string().as_str(), read.time), ("3f9a2c01d2e4", 7));
        assert_eq!((read.nonce.as_str(), read.signature.as_str()), ("x", "ab"));
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in [
            "",
            "Bearer",
            "Basic YTpi",
            "HMAC token=3f9a2c01d2e4",
            "HMAC token=web, time=7, nonce=x, signature=ab",
            "HMAC token=3f9a2c01d2e4, time=x, nonce=x, signature=ab",
            "HMAC token=3f9a2c01d2e4, time=7, time=8, nonce=x, signature=ab",
            "HMAC token=3f9a2c01d2e4, time=7, nonce=x, signature=ab, more=1",
        ] {
            assert_eq!(read(&[text]).err(), Some("bad-authorization"), "{text}");
        }
        assert_eq!(read(&["Bearer a", "Bearer b"]).err(), Some("bad-authorization"));
    }
}
