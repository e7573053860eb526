//! What became of a container.

use serde::{Deserialize, Serialize};

use crate::process::Process;

/// `state.json`: what became of a container, as its shim writes it. Without the file it was never started.
///
/// ```text
///   (none) ─▶ Starting ─▶ Running ─▶ Exited ─▶ Starting …
/// ```
///
/// In `Starting` and `Running` the shim holds the lock. A lock that is free there says that the shim was killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// A shim is starting it.
    Starting {
        /// The shim.
        shim: Process,
        /// Whether it never ran before.
        first: bool,
    },
    /// It runs.
    Running {
        /// The shim.
        shim: Process,
        /// The first process.
        process: Process,
    },
    /// Its first process has ended.
    Exited {
        /// The exit code; 128 + signal when a signal ended it.
        code: i64,
        /// Whether the code is a guess, because the shim was killed.
        #[serde(default)]
        guessed: bool,
    },
}

impl Phase {
    /// The end of a container whose shim was killed.
    pub(crate) fn lost() -> Self {
        Self::Exited {
            code: 137,
            guessed: true,
        }
    }
}
