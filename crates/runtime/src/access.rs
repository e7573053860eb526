//! The users of the API: on a unix socket root, the daemon's user, and the members of one group; on TCP everybody.
//!
//! The kernel keeps others out by the socket's mode and group. But a mode can be changed by mistake, so the daemon also
//! checks each connection's credentials, which the kernel recorded when the peer connected.

use std::fs;

use nix::unistd::{Group, geteuid};

/// The user id of root.
const ROOT: u32 = 0;

/// The description of who may use the API on a loopback address.
pub const OPEN_TO_ALL: &str =
    "open to every user of this machine; leave the address out of api.listen unless that is wanted";

/// The users who may use the unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    user: u32,
    group: String,
    group_id: Option<u32>,
}

impl Access {
    /// Looks up a group by its name. An empty name means no group.
    pub fn of(group: &str) -> Self {
        let found = (!group.is_empty()).then(|| Group::from_name(group).ok().flatten());
        Self {
            user: geteuid().as_raw(),
            group: group.to_owned(),
            group_id: found.flatten().map(|group| group.gid.as_raw()),
        }
    }

    /// The group's id; `None` if the machine has no such group.
    pub fn group_id(&self) -> Option<u32> {
        self.group_id
    }

    /// A description of who may use a socket. If that is more or fewer users than usual, it says how to change that.
    pub fn describe_socket(&self) -> String {
        match (self.group.as_str(), self.group_id) {
            ("", _) => "open to root and the daemon's user".to_owned(),
            (group, Some(_)) => format!("open to root, the daemon's user and the members of the group {group}"),
            (group, None) => format!(
                "open to root and the daemon's user; there is no group {group}: `groupadd --system {group}`, then restart \
                 the daemon, lets its members in"
            ),
        }
    }

    /// Advice for a user who was refused.
    pub fn remedy(&self, uid: u32) -> String {
        let who = format!("the user with number {uid} is not root, nor the daemon's user");
        match (self.group.as_str(), self.group_id) {
            ("", _) => format!("{who}; api.group in the settings can name a group whose members may use the API"),
            (group, Some(_)) => format!(
                "{who}, nor in the group {group}; `usermod -aG {group} NAME` as root lets a user in, after a new login"
            ),
            (group, None) => format!(
                "{who}, and there is no group {group}; as root, `groupadd --system {group}`, `usermod -aG {group} NAME` \
                 and a restart of the daemon let a user in, after a new login"
            ),
        }
    }

    /// Whether a process with these credentials is of root, of the daemon's user, or of a member of the group.
    pub fn admits(&self, uid: u32, gid: u32, pid: Option<i32>) -> bool {
        if uid == ROOT || uid == self.user {
            return true;
        }
        let Some(group) = self.group_id else { return false };
        gid == group || pid.is_some_and(|pid| is_in_group(pid, uid, group))
    }
}

/// Whether a process of this user has the group among its supplementary ones.
fn is_in_group(pid: i32, uid: u32, group: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| has_group(&status, uid, group))
}

/// By now the process id may belong to another process, or the process may run another program. So the groups count
/// only if the process is still of the same user: that user could use any of its groups anyway.
fn has_group(status: &str, uid: u32, group: u32) -> bool {
    let numbers = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_default()
            .split_whitespace()
            .filter_map(|number| number.parse::<u32>().ok())
            .collect::<Vec<_>>()
    };
    // Real, effective, saved, and file system id.
    let users = numbers("Uid:");
    users.len() == 4 && users.iter().all(|user| *user == uid) && numbers("Groups:").contains(&group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_counts_only_with_its_user() {
        let status = "Name:\tcurl\nUid:\t1000\t1000\t1000\t1000\nGid:\t7\t7\t7\t7\nGroups:\t4 27 998 \n";
        assert!(has_group(status, 1000, 998) && has_group(status, 1000, 4));
        // The primary group is in the credentials, and may be another program's by now.
        assert!(!has_group(status, 1000, 7));
        assert!(!has_group(status, 1001, 998));
        // A program that runs as another user, with the groups of the first.
        let other = status.replace("1000\t1000\t1000\t1000", "1000\t0\t0\t0");
        assert!(!has_group(&other, 1000, 998) && !has_group(&other, 0, 998));
        assert!(!has_group("", 1000, 998));
    }

    #[test]
    fn who_may_come_in_is_said_with_what_to_do() {
        let missing = Access::of("no-such-group-here");
        assert_eq!(missing.group_id(), None);
        assert!(
            missing
                .describe_socket()
                .contains("groupadd --system no-such-group-here")
        );
        assert!(missing.remedy(7).contains("usermod -aG no-such-group-here"));
        let present = Access::of("root");
        assert_eq!(present.group_id(), Some(0));
        assert!(present.describe_socket().ends_with("the group root"));
        assert_eq!(Access::of("").describe_socket(), "open to root and the daemon's user");
        assert!(OPEN_TO_ALL.starts_with("open to every user of this machine"));
    }
}
