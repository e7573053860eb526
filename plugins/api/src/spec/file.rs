//! Files that are written into a container before it starts.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ValueSource;

/// A file that is written into a container before its first start. Missing directories above it are created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Absolute path inside the container.
    pub target: PathBuf,
    /// Its content.
    pub content: FileContent,
    /// Permission bits, such as `0o640`.
    #[serde(default = "File::default_mode")]
    pub mode: u32,
    /// The id of the user that owns it, inside the container.
    #[serde(default)]
    pub uid: u32,
    /// The id of its group, inside the container.
    #[serde(default)]
    pub gid: u32,
}

impl File {
    /// The default permission bits: everybody may read, and the owner may write.
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
    /// The content of this source. It is not recorded: the daemon reads it right before it calls the engine, and passes
    /// it on as [`Bytes`](Self::Bytes).
    From(ValueSource),
}

impl FileContent {
    /// The content of the file; `None` until its source was read.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text.as_bytes()),
            Self::Bytes(bytes) => Some(bytes),
            Self::From(_) => None,
        }
    }
}

/// Shows only the length, because the content may be secret.
impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::From(source) => f.debug_tuple("From").field(source).finish(),
        }
    }
}
