//! Files that a container finds when it starts.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ValueSource;

/// A file that is written into a container before its first start. Directories above it are made where they are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Absolute path inside the container.
    pub target: PathBuf,
    /// Its content.
    pub content: FileContent,
    /// Permission bits, such as `0o640`.
    #[serde(default = "File::default_mode")]
    pub mode: u32,
    /// Number of the user it belongs to, inside the container.
    #[serde(default)]
    pub uid: u32,
    /// Number of the group it belongs to, inside the container.
    #[serde(default)]
    pub gid: u32,
}

impl File {
    /// The permission bits of a file for which none are given: everybody reads, its owner writes.
    pub const fn default_mode() -> u32 {
        0o644
    }
}

/// The content of a file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileContent {
    /// This text.
    Text(String),
    /// These bytes.
    Bytes(Vec<u8>),
    /// What this source holds. It is not recorded: the daemon reads it right before it calls the engine, and hands the
    /// engine [`Bytes`](Self::Bytes).
    From(ValueSource),
}

impl FileContent {
    /// The bytes of the file; `None` as long as its source was not read.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text.as_bytes()),
            Self::Bytes(bytes) => Some(bytes),
            Self::From(_) => None,
        }
    }
}

/// Contents may be secret: only their length is shown.
impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::From(source) => f.debug_tuple("From").field(source).finish(),
        }
    }
}
