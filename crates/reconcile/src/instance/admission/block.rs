//! Why an instance is not made now.

use std::fmt;

use orchestrator_model::{HostId, PauseScope, Timestamp};

use super::budget::Lack;

/// Something that a host promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    Instances,
    Memory,
    Processors,
    Pids,
    Disk,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instances => "instances",
            Self::Memory => "memory",
            Self::Processors => "processors",
            Self::Pids => "processes",
            Self::Disk => "disk",
        })
    }
}

/// What an instance waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Block {
    /// What is recorded is not read yet.
    Reading,
    /// Its turn: the engine is busy with others.
    Turn,
    /// The end of a pause.
    Paused(PauseScope),
    /// Room on its host.
    Host {
        host: HostId,
        resource: Resource,
        lack: Lack,
    },
    /// The removal of an instance of its link.
    Link { link: String, limit: u64 },
    /// The removal of an instance of its template.
    Template { template: String, limit: u64 },
    /// The removal of an instance of its client.
    Client { limit: u64 },
    /// The removal of an instance of a client behind the same port.
    Port { port: String, limit: u64 },
    /// Time: too many were made in the last minute.
    Rate {
        /// Whose rate it is: "link br0", or "this client".
        of: String,
        limit: u64,
        lack: Lack,
        until: Option<Timestamp>,
    },
}

impl Block {
    /// A stable word for counters and the API.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Reading => "starting",
            Self::Turn => "turn",
            Self::Paused(_) => "paused",
            Self::Host { resource, .. } => match resource {
                Resource::Instances => "host-instances",
                Resource::Memory => "memory",
                Resource::Processors => "cpus",
                Resource::Pids => "pids",
                Resource::Disk => "disk",
            },
            Self::Link { .. } => "link-instances",
            Self::Template { .. } => "template-instances",
            Self::Client { .. } => "client-instances",
            Self::Port { .. } => "port-instances",
            Self::Rate { .. } => "creations",
        }
    }

    /// Whether it is a limit: more than a turn that comes within moments.
    pub(crate) const fn is_limit(&self) -> bool {
        !matches!(self, Self::Reading | Self::Turn)
    }
}

/// What an instance waits for, as the end of a sentence.
impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reading => f.write_str("the daemon has just started"),
            Self::Turn => f.write_str("others are made first"),
            Self::Paused(scope) => write!(f, "{scope} is paused; `orchestrator resume` ends that"),
            Self::Host { host, resource, lack } => match lack {
                Lack::Whole => write!(f, "host {host} has promised all of its {resource}"),
                Lack::Port => write!(
                    f,
                    "the clients behind its port have their part of the {resource} of host {host}"
                ),
                Lack::Address => {
                    write!(
                        f,
                        "its link-layer address has its part of the {resource} of host {host}"
                    )
                }
            },
            Self::Link { link, limit } => write!(f, "link {link} has {limit} instances, which is its limit"),
            Self::Template { template, limit } => {
                write!(f, "template {template} has {limit} instances, which is its limit")
            }
            Self::Client { limit } => write!(f, "its client has {limit} instances, which is the limit of a client"),
            Self::Port { port, limit } => {
                write!(
                    f,
                    "the clients behind port {port} have {limit} instances, which is the limit of a port"
                )
            }
            Self::Rate { of, limit, lack, .. } => match lack {
                Lack::Whole => write!(
                    f,
                    "{limit} instances were made for {of} in the last minute, which is the limit"
                ),
                Lack::Port => write!(
                    f,
                    "the clients behind its port had their part of the new instances of {of}"
                ),
                Lack::Address => write!(f, "its link-layer address had its part of the new instances of {of}"),
            },
        }
    }
}

/// Why an instance neither is made nor waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its client is behind the port of an instance.
    FromInstance,
    /// Its host could never have room for it.
    TooLarge { host: HostId, resource: Resource },
    /// The queue is full, and no port has more waiting than the client's.
    QueueFull { most: usize },
}

impl Refusal {
    /// A stable word for counters.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::FromInstance => "from-instance",
            Self::TooLarge { .. } => "too-large",
            Self::QueueFull { .. } => "queue-full",
        }
    }
}

/// Why, as a sentence.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FromInstance => f.write_str("no instance: the client is behind the port of an instance"),
            Self::TooLarge { host, resource } => write!(
                f,
                "no instance: its template asks for more {resource} than host {host} may promise in all; lower the \
                 template's limit, or raise that of [limits]"
            ),
            Self::QueueFull { most } => write!(
                f,
                "no instance yet: {most} wait already, and no port has more of them than the client's; it is asked \
                 for again when there is room"
            ),
        }
    }
}
