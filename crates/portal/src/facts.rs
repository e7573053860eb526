//! What is known of an instance and of its client, as far as it may be shown to them.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::Ipv6Net;
use orchestrator_model::{ClientAction, ClientExtension, InstanceId, Phase, Timestamp};

/// The facts cannot be read now. The reason is for the log, not for who asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the facts cannot be read now: {0}")]
pub struct Unavailable(pub String);

/// Where facts are read from.
#[async_trait]
pub trait Facts: Send + Sync + 'static {
    /// The live instance that has this address on a link; `None` if no instance has it.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when they cannot be read now.
    async fn instance(&self, link: &str, address: Ipv6Addr) -> Result<Option<InstanceFacts>, Unavailable>;

    /// The client that holds this address on a link, or the prefix that the address is in; `None` if nobody does.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when they cannot be read now.
    async fn client(&self, link: &str, address: Ipv6Addr) -> Result<Option<ClientPage>, Unavailable>;
}

/// What a client's page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientPage {
    /// The client.
    pub client: ClientFacts,
    /// Its instances, in the order of their slots.
    pub instances: Vec<InstanceCard>,
    /// Why it has no instance, where it has none.
    pub lack: Option<Lack>,
    /// The SSH keys that it gave.
    pub authorized_keys: Vec<String>,
    /// The SSH keys that its reservations give it, which it does not change.
    pub reserved_keys: Vec<String>,
}

/// An instance on its client's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceCard {
    /// Its id.
    pub id: InstanceId,
    /// Which of the client's instances it is.
    pub slot: String,
    /// Its phase.
    pub phase: Phase,
    /// Whether its last try failed and another one is due.
    pub is_tried_again: bool,
    /// Its address on the link, if it has one yet.
    pub address: Option<Ipv6Addr>,
    /// When it ends; `None` if nothing ends it.
    pub end: Option<End>,
    /// What its client may do with it.
    pub may: Vec<ClientAction>,
    /// By how much its client may extend its time now, and how often yet; `None` if it may not.
    pub extension: Option<ClientExtension>,
}

/// Why a client has no instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// The link and the client's class have no template.
    NoTemplate,
    /// Somebody removed it; the client gets another one at its next lease event.
    Removed,
    /// It could not be made: the reason, for people.
    Refused(String),
    /// Time ended the last one. The client gets another one after this time, or when its lease begins anew.
    TimeOver(Option<Duration>),
    /// Others are before it: it waits for a place.
    Waiting,
    /// It is about to be made.
    Soon,
}

/// What an instance may know about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceFacts {
    /// Its id.
    pub id: InstanceId,
    /// Its host name.
    pub hostname: String,
    /// The link that it is reached on.
    pub link: String,
    /// Which of its client's instances it is: the name of a template of the link.
    pub slot: String,
    /// The name of the template that it was made from.
    pub template: String,
    /// The version of the template.
    pub version: u64,
    /// Its phase.
    pub phase: Phase,
    /// When it was recorded.
    pub created: Timestamp,
    /// Its addresses, each with the name of its network. The first one is that on the link.
    pub addresses: Vec<(String, Ipv6Addr)>,
    /// Prefixes that are routed to it.
    pub prefixes: Vec<Ipv6Net>,
    /// Its client; `None` if it does not belong to a client.
    pub client: Option<ClientFacts>,
    /// When it ends; `None` if nothing ends it.
    pub end: Option<End>,
    /// The values of its template.
    pub values: BTreeMap<String, String>,
    /// The SSH keys that may log in, each one line: those of its client's reservations, and those that its client gave.
    pub authorized_keys: Vec<String>,
    /// Its token, and the path of the keys that it may read and write; `None` if it has none.
    pub reach: Option<(String, String)>,
}

/// What may be shown of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientFacts {
    /// Its host name, if it sent one.
    pub name: Option<String>,
    /// The addresses that it holds.
    pub addresses: Vec<Ipv6Addr>,
    /// The prefixes that are delegated to it.
    pub prefixes: Vec<Ipv6Net>,
    /// When the last of its leases ends, unless it renews.
    pub lease_until: Option<Timestamp>,
}

/// When an instance ends, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The moment.
    pub at: Timestamp,
    /// The reason.
    pub reason: EndReason,
}

/// Why an instance ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Its client's lease ends, unless the client renews it.
    Lease,
    /// Its lifetime is over.
    Lifetime,
    /// Nobody used it.
    Idle,
    /// Its client's lease has ended, and the grace period runs.
    Grace,
    /// It is stopped already, and is removed then.
    Kept,
}

impl EndReason {
    /// A word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lease => "lease",
            Self::Lifetime => "lifetime",
            Self::Idle => "idle",
            Self::Grace => "grace",
            Self::Kept => "kept",
        }
    }
}
