//! Linux capabilities.

/// Every capability that Linux has, without `CAP_`.
#[rustfmt::skip]
const KNOWN: [&str; 41] = [
    "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "CHOWN", "DAC_OVERRIDE",
    "DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN",
    "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "PERFMON", "SETFCAP", "SETGID",
    "SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT",
    "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM",
];

/// The runtime's words for these capabilities.
///
/// # Errors
///
/// The first that Linux does not have.
pub(super) fn capabilities(names: &[String]) -> Result<Vec<String>, String> {
    let word = |name: &String| {
        let upper = name.to_ascii_uppercase();
        let plain = upper.strip_prefix("CAP_").unwrap_or(&upper);
        match KNOWN.contains(&plain) {
            true => Ok(format!("CAP_{plain}")),
            false => Err(format!("Linux has no capability {name:?}; see capabilities(7)")),
        }
    };
    names.iter().map(word).collect()
}
