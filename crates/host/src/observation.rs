//! Observations of one instance.

use orchestrator_network::Flaw;

/// How much [`see`](crate::Host::see) observes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// At the containers, at the host ends of the attachments, and within the instance's network namespace.
    Whole,
    /// Only within the network namespace, as it was last known. Asks no engine.
    Inside,
}

/// The observed state of an instance on its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// Nothing can be said: the engine or the kernel does not answer, or nothing is known of it.
    Unknown,
    /// The engine has no such instance.
    Absent,
    /// It exists, and one of its containers does not run.
    Stopped {
        /// The exit code of that container, where it ever ran.
        code: Option<i64>,
    },
    /// Its processes are frozen.
    Paused,
    /// It runs, and an attachment is missing or not on its network.
    Unwired,
    /// It runs and is attached, and an attachment lacks something of its plan.
    Flawed(Flaw),
    /// It runs and is wired as planned.
    Running,
}
