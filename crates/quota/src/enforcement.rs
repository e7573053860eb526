//! Whether a limit holds.

use std::fmt;

/// Whether a file system enforces a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforcement {
    /// It does.
    Enforced,
    /// It does not.
    Missing(Obstacle),
}

/// Why a limit is not enforced. Its text is a clause: "… is not enforced: {obstacle}".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The file system cannot limit directories.
    FileSystem,
    /// Quotas are not switched on in the file system.
    QuotasOff,
    /// It was made as a plain directory, before the file system could limit it.
    PlainDirectory,
    /// This process may not set limits.
    Privilege,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FileSystem => "only btrfs can limit a directory",
            Self::QuotasOff => "quotas are off in its btrfs; switch them on by `btrfs quota enable`",
            Self::PlainDirectory => "it was made before its file system could limit it, as a plain directory",
            Self::Privilege => "the process lacks CAP_SYS_ADMIN, which sets limits",
        })
    }
}
