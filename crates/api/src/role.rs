//! Roles of callers.

use std::fmt;

use orchestrator_runtime::access::Access;
use tokio::net::unix::UCred;

/// The role of a caller. Each role includes the ones before it.
///
/// | role | may |
/// |---|---|
/// | viewer | read: clients, leases, instances, orphans, reservations, events, which settings are in force, counters |
/// | operator | also change instances, leases and reservations: destroy, release, reconfigure, reserve; hand over hooks |
/// | admin | also change what the daemon itself is: reload settings, remove orphans, secrets |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// May read.
    Viewer,
    /// May change instances, leases and reservations.
    Operator,
    /// May do everything.
    Admin,
}

impl Role {
    /// All roles, from the least to the most powerful.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// A stable word for the role.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// The role of peers on loopback. Everybody who can connect may do everything; the settings allow that by listening
/// there.
pub(super) const ON_LOOPBACK: Role = Role::Admin;

/// The role of a peer of a unix socket; `None` when it may not use the API. Only this function decides which user has
/// which role.
pub(super) fn role_of(peer: &UCred, access: &Access) -> Option<Role> {
    access.admits(peer.uid(), peer.gid(), peer.pid()).then_some(Role::Admin)
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
