//! The caller of a request. Every request has one, and every handler can take it.

use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use orchestrator_secrets::Granted;

use super::peer::Peer;
use super::problem::Fault;
use super::role::Role;
use super::routes::Shared;

/// The caller of a request: its peer, its user and its role.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Where the request comes from.
    pub peer: Peer,
    /// The name of the peer's user. `None` where it is not known: on TCP, and where the machine has no name for it.
    pub user: Option<String>,
    /// The caller's role.
    pub role: Role,
    /// What its token grants, if it has shown one: the role above, for some paths. `None` for a peer that is known by its
    /// socket.
    pub granted: Option<Arc<Granted>>,
}

impl fmt::Display for Caller {
    /// The form in the timeline: `token ci` for the holder of a token; else `user alice`, `uid 1000` when the user has no name, `loopback` on TCP.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(granted) = &self.granted {
            return f.write_str(&granted.caller);
        }
        match (&self.user, self.peer) {
            (Some(user), _) => write!(f, "user {user}"),
            (None, Peer::Process { uid, .. }) => write!(f, "uid {uid}"),
            (None, Peer::Host(address)) if address.is_loopback() => f.write_str("loopback"),
            (None, Peer::Host(address)) => write!(f, "host {address}"),
        }
    }
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Fault> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            let detail = "nobody knows who asks, so that nothing is answered; use the daemon's own sockets";
            Fault::new(StatusCode::FORBIDDEN, "not-allowed", detail)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use super::*;

    #[test]
    fn a_caller_is_recorded_by_its_name_else_by_its_number_or_place() {
        let process = Peer::Process { uid: 1000, pid: 7 };
        let shown = |peer, user: Option<&str>| {
            let user = user.map(str::to_owned);
            Caller {
                peer,
                user,
                role: Role::Viewer,
                granted: None,
            }
            .to_string()
        };
        assert_eq!(shown(process, Some("alice")), "user alice");
        assert_eq!(shown(process, None), "uid 1000");
        assert_eq!(shown(Peer::Host(IpAddr::V6(Ipv6Addr::LOCALHOST)), None), "loopback");
        let elsewhere = Peer::Host("2001:db8::1".parse().unwrap());
        assert_eq!(shown(elsewhere, None), "host 2001:db8::1");
    }
}
