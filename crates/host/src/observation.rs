//! Observations of one instance.

use orchestrator_network::Flaw;

use crate::{AttachmentPlan, InstanceRef};

/// How much [`see`](crate::Host::see) observes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// At the containers, at the host ends of the attachments, and within the instance's network namespace.
    Whole,
    /// Only within the network namespace, as it was last known. Asks no engine.
    Inside,
}

/// What became of a container that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// The engine has no such container.
    Absent,
    /// Its first process does not run.
    Stopped {
        /// Its exit code, where it ever ran.
        code: Option<i64>,
    },
}

/// The observed state of an instance on its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// Nothing can be said: the engine or the kernel does not answer, or nothing is known of it.
    Unknown,
    /// The engine has no such instance.
    Absent,
    /// It exists, and its first container does not run.
    Stopped {
        /// The exit code of that container, where it ever ran.
        code: Option<i64>,
    },
    /// Its processes are frozen.
    Paused,
    /// Its first container runs, and one of the others does not.
    Incomplete {
        /// The place of that container among those of the instance.
        place: usize,
        /// What became of it.
        lack: Lack,
    },
    /// It runs, and an attachment is missing or not on its network.
    Unwired,
    /// It runs and is attached, and an attachment lacks something of its plan.
    Flawed(Flaw),
    /// It runs and is wired, and an attachment has no address yet.
    AwaitsAddress,
    /// It runs and is wired as planned.
    Running,
}

impl Observation {
    /// The state of an instance that runs and whose attachments are wired as far as they can be.
    pub(crate) fn wired(attachments: &[AttachmentPlan]) -> Self {
        match attachments.iter().any(|attachment| attachment.address.is_none()) {
            true => Self::AwaitsAddress,
            false => Self::Running,
        }
    }

    /// The state of an instance one of whose containers does not run. The first one's state is that of the instance.
    pub(crate) fn without(instance: &InstanceRef, place: usize, lack: Lack) -> Self {
        let is_first = instance
            .containers
            .get(place)
            .is_none_or(|container| container.name.is_main());
        match lack {
            Lack::Absent if is_first => Self::Absent,
            Lack::Stopped { code } if is_first => Self::Stopped { code },
            lack => Self::Incomplete { place, lack },
        }
    }
}
