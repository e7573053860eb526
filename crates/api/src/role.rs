//! Roles of peers.

pub use orchestrator_model::Role;
use orchestrator_runtime::access::Access;
use tokio::net::unix::UCred;

/// The role of peers on loopback. Everybody who can connect may do everything; the settings allow that by listening
/// there.
pub(super) const ON_LOOPBACK: Role = Role::Admin;

/// The role of a peer of a unix socket; `None` when it may not use the API. Only this function decides which user has
/// which role.
pub(super) fn role_of(peer: &UCred, access: &Access) -> Option<Role> {
    access.admits(peer.uid(), peer.gid(), peer.pid()).then_some(Role::Admin)
}
