//! `ssh` of a template: where the SSH keys of an instance are written.

use std::path::PathBuf;

use super::parse_inside;
use crate::reader::{Entry, Table};
use orchestrator_model::SshFiles;

/// Reads the table; `None` only after a fault.
pub(super) fn read(mut table: Table<'_>) -> Option<SshFiles> {
    let host_key = path(table.take("host_key"));
    let authorized_keys = path(table.take("authorized_keys"));
    let id = |entry: Option<Entry<'_>>| entry.map_or(Some(0), |entry| entry.whole(0..=2_097_151));
    let (uid, gid) = (id(table.take("uid")), id(table.take("gid")));
    if !table.has("host_key") && !table.has("authorized_keys") {
        let remedy = "write where it is to be, like \"/etc/ssh/ssh_host_ed25519_key\", or give `authorized_keys`";
        table.fault("host_key", "is missing, and `authorized_keys` is, too", remedy);
    }
    table.finish();
    Some(SshFiles {
        host_key: host_key?,
        authorized_keys: authorized_keys?,
        uid: uid?,
        gid: gid?,
    })
}

fn path(entry: Option<Entry<'_>>) -> Option<Option<PathBuf>> {
    let Some(entry) = entry else { return Some(None) };
    entry
        .parse("write it like \"/home/client/.ssh/authorized_keys\"", parse_inside)
        .map(Some)
}

#[cfg(test)]
mod tests {
    #[test]
    fn places_of_keys_are_paths_inside() {
        let of = |ssh: &str| {
            let text = format!("[template.a]\nimage = \"a\"\nssh = {ssh}");
            crate::parse(&text, std::iter::empty()).map_err(|faults| faults.to_string())
        };
        let settings = of("{ host_key = \"/etc/key\", uid = 7 }").unwrap();
        let ssh = settings.templates["a"].ssh.clone().unwrap();
        assert_eq!((ssh.host_key, ssh.authorized_keys), (Some("/etc/key".into()), None));
        assert_eq!((ssh.uid, ssh.gid), (7, 0));
        for (wrong, fault) in [
            ("{}", "ssh.host_key: is missing"),
            ("{ host_key = \"key\" }", "is not an absolute path inside"),
            ("{ host_key = \"/a\", uid = -1 }", "out of bounds"),
        ] {
            let faults = of(wrong).unwrap_err();
            assert!(faults.contains(fault), "{faults}");
        }
    }
}
