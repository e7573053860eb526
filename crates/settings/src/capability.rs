//! Linux capabilities by name.

use super::fault::nearest;

/// The capabilities of capabilities(7), Linux 5.9 and newer.
const CAPABILITIES: [&str; 41] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

/// Parses the name of a capability, with or without `CAP_`. Returns it without.
pub(super) fn parse_capability(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("CAP_").unwrap_or(text);
    if CAPABILITIES.contains(&name) {
        return Ok(name.to_owned());
    }
    let meant = nearest(&name.to_ascii_uppercase(), CAPABILITIES);
    let hint = meant
        .map(|meant| format!(" (did you mean {meant:?}?)"))
        .unwrap_or_default();
    Err(format!("{text:?} is not a capability{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_and_without_prefix() {
        assert_eq!(parse_capability("CAP_CHOWN"), Ok("CHOWN".to_owned()));
        assert_eq!(parse_capability("NET_BIND_SERVICE"), Ok("NET_BIND_SERVICE".to_owned()));
        let fault = parse_capability("net_admn").unwrap_err();
        assert_eq!(fault, "\"net_admn\" is not a capability (did you mean \"NET_ADMIN\"?)");
    }
}
