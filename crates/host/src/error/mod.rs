//! Errors of a host, with their remedies.

mod cause;
mod ensure;
mod no_answer;
mod remedy;
mod value;
mod volume;

use orchestrator_network::NetworkError;
use orchestrator_plugin::{Id, InstanceId};

pub use cause::Cause;
pub use ensure::{AdoptFault, EnsureFault, Unwired};
pub use no_answer::NoAnswer;
pub use remedy::Remedy;
pub use value::ValueError;
pub use volume::VolumeError;

/// Why a host could not do what it was asked: a variant for each verb that can fail.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// An instance could not be brought to answer.
    #[error(transparent)]
    Ensure(#[from] EnsureFault),
    /// An instance that another scheduler starts could not be wired, or does not answer.
    #[error(transparent)]
    Adopt(#[from] AdoptFault),
    /// Something of an instance could not be removed. All of it was tried.
    #[error("{}", joined(causes))]
    Remove {
        /// The instance; `None` for what belongs to no instance.
        instance: Option<InstanceId>,
        /// Why, for each piece that is still there.
        causes: Vec<Cause>,
    },
    /// Something of an instance could not be stopped. All of it was tried.
    #[error("{}", joined(causes))]
    Stop {
        /// The instance; `None` for what belongs to no instance.
        instance: Option<InstanceId>,
        /// Why, for each piece that still runs.
        causes: Vec<Cause>,
    },
    /// An instance could not be observed.
    #[error("cannot observe instance {instance}")]
    See {
        /// The instance.
        instance: InstanceId,
        /// Why.
        #[source]
        source: Cause,
    },
    /// Nothing could be listed.
    #[error("cannot list what is on host {host}")]
    List {
        /// Name of the host.
        host: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The facts of a container could not be read.
    #[error("cannot read what instance {instance} was made for")]
    Describe {
        /// The instance.
        instance: InstanceId,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The networks of the host could not be changed.
    #[error("cannot change {subject} on host {host}")]
    Apply {
        /// Name of the host.
        host: String,
        /// The first thing that could not be changed.
        subject: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The packet filter's counters could not be read.
    #[error("cannot read what the packet filter of host {host} has counted")]
    PolicyCounts {
        /// Name of the host.
        host: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// Something that we made in the networks of the host could not be removed. All of it was tried.
    #[error("cannot remove everything from the networks of host {host}: {}", joined(causes))]
    Teardown {
        /// Name of the host.
        host: String,
        /// Why, for each piece that is still there.
        causes: Vec<Cause>,
    },
    /// A bridge could not be observed.
    #[error("cannot observe bridge {bridge} on host {host}")]
    SeeBridge {
        /// Name of the host.
        host: String,
        /// Name of the bridge.
        bridge: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// A host could not be examined.
    #[error("cannot examine host {host}")]
    Examine {
        /// Name of the host.
        host: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// A setting of a host could not be mended.
    #[error("cannot mend host {host}")]
    Mend {
        /// Name of the host.
        host: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The host is not watched any more.
    #[error("lost the watch on host {host}")]
    Watch {
        /// Name of the host.
        host: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// No connection to an instance.
    #[error("cannot connect to instance {instance}")]
    Dial {
        /// The instance.
        instance: InstanceId,
        /// Why.
        #[source]
        source: NoAnswer,
    },
    /// A command could not be run.
    #[error("cannot run a command in instance {instance}")]
    Exec {
        /// The instance.
        instance: InstanceId,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The output of a container could not be read.
    #[error("cannot read the log of instance {instance}")]
    Logs {
        /// The instance.
        instance: InstanceId,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The resources of a container could not be measured.
    #[error("cannot measure instance {instance}")]
    Stats {
        /// The instance.
        instance: InstanceId,
        /// Why.
        #[source]
        source: Cause,
    },
    /// Files could not be read or written.
    #[error("cannot copy files of instance {instance}")]
    Files {
        /// The instance.
        instance: InstanceId,
        /// Why.
        #[source]
        source: Cause,
    },
    /// A volume could not be removed.
    #[error("cannot remove volume {volume}")]
    RemoveVolume {
        /// The volume.
        volume: Id,
        /// Why.
        #[source]
        source: Cause,
    },
    /// A volume could not be measured.
    #[error("cannot measure volume {volume}")]
    MeasureVolume {
        /// The volume.
        volume: Id,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The content of a volume could not be read.
    #[error("cannot export volume {volume}")]
    ExportVolume {
        /// The volume.
        volume: Id,
        /// Why.
        #[source]
        source: Cause,
    },
    /// An engine could not do something with its images.
    #[error("cannot {verb} on engine {engine} of host {host}")]
    Images {
        /// Name of the host.
        host: String,
        /// Name of the engine.
        engine: String,
        /// What was tried.
        verb: &'static str,
        /// Why.
        #[source]
        source: Cause,
    },
    /// A file system could not be exported.
    #[error("cannot export instance {instance}")]
    Export {
        /// The instance.
        instance: InstanceId,
        /// Why.
        #[source]
        source: Cause,
    },
}

impl HostError {
    /// The remedy.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Ensure(fault) => fault.remedy(),
            Self::Adopt(fault) => fault.remedy(),
            Self::Remove { causes, .. } | Self::Stop { causes, .. } | Self::Teardown { causes, .. } => {
                causes.iter().map(Cause::remedy).min().unwrap_or(Remedy::Retry)
            }
            Self::Dial { source, .. } => source.remedy(),
            Self::See { source, .. }
            | Self::List { source, .. }
            | Self::Describe { source, .. }
            | Self::Apply { source, .. }
            | Self::SeeBridge { source, .. }
            | Self::PolicyCounts { source, .. }
            | Self::Examine { source, .. }
            | Self::Mend { source, .. }
            | Self::Watch { source, .. }
            | Self::Exec { source, .. }
            | Self::Logs { source, .. }
            | Self::Stats { source, .. }
            | Self::Files { source, .. }
            | Self::RemoveVolume { source, .. }
            | Self::MeasureVolume { source, .. }
            | Self::ExportVolume { source, .. }
            | Self::Images { source, .. }
            | Self::Export { source, .. } => source.remedy(),
        }
    }

    /// The kernel's refusal that is behind it, if one is.
    pub fn network(&self) -> Option<&NetworkError> {
        match self {
            Self::Ensure(EnsureFault::NotWired { source, .. }) => Some(source),
            Self::Apply { source, .. } | Self::SeeBridge { source, .. } | Self::List { source, .. } => match source {
                Cause::Network(fault) => Some(fault),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the host cannot check packets until an operator changes the machine or how the daemon runs.
    pub fn lacks_filter(&self) -> bool {
        let without = |fault| {
            matches!(
                fault,
                &NetworkError::NoFilter { .. } | &NetworkError::NotPermitted { .. }
            )
        };
        self.network().is_some_and(without)
    }

    /// A stable word for counters and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ensure(fault) => fault.code(),
            Self::Adopt(fault) => fault.code(),
            Self::Remove { causes, .. } | Self::Teardown { causes, .. } => {
                causes.first().map_or("not-removed", Cause::code)
            }
            Self::Stop { causes, .. } => causes.first().map_or("not-stopped", Cause::code),
            Self::Dial { source, .. } => source.code(),
            Self::See { source, .. }
            | Self::List { source, .. }
            | Self::Describe { source, .. }
            | Self::Apply { source, .. }
            | Self::SeeBridge { source, .. }
            | Self::PolicyCounts { source, .. }
            | Self::Examine { source, .. }
            | Self::Mend { source, .. }
            | Self::Watch { source, .. }
            | Self::Exec { source, .. }
            | Self::Logs { source, .. }
            | Self::Stats { source, .. }
            | Self::Files { source, .. }
            | Self::RemoveVolume { source, .. }
            | Self::MeasureVolume { source, .. }
            | Self::ExportVolume { source, .. }
            | Self::Images { source, .. }
            | Self::Export { source, .. } => source.code(),
        }
    }
}

fn joined(causes: &[Cause]) -> String {
    let texts: Vec<String> = causes.iter().map(Cause::text).collect();
    texts.join("; ")
}

#[cfg(test)]
mod tests {
    use std::io;

    use orchestrator_plugin::EngineError;

    use super::*;

    fn down() -> Cause {
        Cause::Engine(EngineError::Unavailable {
            engine: "unix:///run/docker.sock".to_owned(),
            source: Box::new(io::Error::from(io::ErrorKind::NotFound)),
        })
    }

    fn full() -> Cause {
        Cause::Network(NetworkError::BridgeFull { bridge: "br0".into() })
    }

    #[test]
    fn every_piece_that_was_not_removed_is_named() {
        let error = HostError::Remove {
            instance: None,
            causes: vec![full(), down()],
        };
        assert_eq!(
            error.remedy(),
            Remedy::Engine,
            "what helps all of it at once comes first"
        );
        assert_eq!(error.code(), "bridge-full");
        assert_eq!(
            error.to_string(),
            "bridge br0 has no port left (a bridge takes 1023); remove instances, or use another bridge; \
             engine unix:///run/docker.sock does not answer; start it, or set where it listens: entity not found"
        );
    }

    #[test]
    fn a_verb_says_what_it_was_doing_and_its_cause_says_why() {
        let error = HostError::Stats {
            instance: InstanceId::from_bytes([1; 6]),
            source: down(),
        };
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("engine-unavailable", "cannot measure instance 010101010101")
        );
    }
}
