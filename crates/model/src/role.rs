//! Roles of callers of the API.

use std::fmt;
use std::str::FromStr;

use super::lease::words;

/// The role of a caller.
///
/// | role | may |
/// |---|---|
/// | hook | hand over events of a DHCP server, and nothing else |
/// | viewer | read: clients, leases, instances, orphans, reservations, events, keys and values, which settings are in force, counters |
/// | operator | also change instances, leases, reservations, keys and values: destroy, release, reconfigure, reserve; hand over hooks |
/// | admin | also change what the daemon itself is: reload settings, remove orphans, images, templates, tokens, secrets |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// May hand over events of a DHCP server.
    Hook,
    /// May read.
    Viewer,
    /// May change instances, leases and reservations.
    Operator,
    /// May do everything.
    Admin,
}

words!(Role {
    Hook = "hook",
    Viewer = "viewer",
    Operator = "operator",
    Admin = "admin",
});

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Hook, Self::Viewer, Self::Operator, Self::Admin];

    /// Whether a caller of this role may use what needs the role `needed`.
    pub const fn includes(self, needed: Self) -> bool {
        match self {
            Self::Hook => matches!(needed, Self::Hook),
            Self::Viewer => matches!(needed, Self::Viewer),
            Self::Operator => !matches!(needed, Self::Admin),
            Self::Admin => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Role::{Admin, Hook, Operator, Viewer};
    use super::*;

    #[test]
    fn a_role_includes_itself_and_the_lesser_ones_and_no_viewer_hands_over_hooks() {
        let included = |role: Role| {
            Role::ALL
                .into_iter()
                .filter(|needed| role.includes(*needed))
                .collect::<Vec<_>>()
        };
        assert_eq!(included(Hook), [Hook]);
        assert_eq!(included(Viewer), [Viewer]);
        assert_eq!(included(Operator), [Hook, Viewer, Operator]);
        assert_eq!(included(Admin), Role::ALL);
    }
}
