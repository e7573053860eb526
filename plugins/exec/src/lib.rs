//! Runs containers by any executable that speaks the engine trait as JSON on its standard input and output.
//!
//! ```text
//!   engine verb ─▶ request ─▶ stdin ┐
//!                                   ├ one process for each call, in a process group of its own
//!   result, error ◀─ answer ◀─ stdout ┘
//! ```
//!
//! Invariants:
//!
//! - The executable is the operator's and is started with arguments that are fixed in the settings. Nothing of a request
//!   is on its command line or in its environment.
//! - Every call has a limit. An executable that takes too long, writes too much or is not waited for any more is killed
//!   with its process group.
//! - Calls that change one container follow one another. A removal waits for the end of a creation that was dropped, and
//!   never longer than its limit.
//! - What an executable answers is parsed into types and checked. What it says of an error acts on no terminal.
//! - The plugin keeps nothing but what VERSION answered.

mod answer;
mod call;
mod capabilities;
mod convert;
mod engine;
mod errors;
mod image;
mod process;
pub mod protocol;
mod settings;
mod watch;

pub use answer::answer;
pub use engine::ExecEngine;
pub use settings::{ExecKind, ExecSettings};
