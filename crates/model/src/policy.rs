//! What the packet filter allows one client or one instance, as it is shown to operators.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use ipnet::Ipv6Net;

use super::lease::words;
use super::{ClientId, InstanceId, MacAddress, Owner, Ports, Timestamp};

/// The client or the instance that a policy is shown of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicySubject {
    /// A client.
    Client(ClientId),
    /// An instance.
    Instance(InstanceId),
}

/// Somebody or something that a subject may want to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyTarget {
    /// A client.
    Client(ClientId),
    /// An instance.
    Instance(InstanceId),
    /// The holder of this address.
    Address(Ipv6Addr),
}

/// What the packet filter allows a client or an instance, why, and what it dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyView {
    /// The client or the instance.
    pub subject: PolicySubject,
    /// Why the packet filter is not as it should be; `None` if it is.
    pub fault: Option<String>,
    /// The links that it is on.
    pub links: Vec<PolicyLink>,
    /// The addresses and prefixes that it may speak from.
    pub bindings: Vec<PolicyBinding>,
    /// Whom it may speak with.
    pub rules: Vec<PolicyRule>,
    /// What was dropped of it.
    pub drops: Vec<PolicyDrop>,
    /// Why it is not known what was dropped; `None` if it is known.
    pub uncounted: Option<String>,
    /// Whether it reaches the target that was asked about.
    pub decision: Option<PolicyDecision>,
}

/// How a link checks packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLink {
    /// Its name.
    pub link: String,
    /// Whether packets are checked at all.
    pub isolation: bool,
    /// Whether what is not allowed is dropped. Otherwise it is only counted.
    pub enforce: bool,
}

/// An address or prefix that somebody may speak from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyBinding {
    /// The link.
    pub link: String,
    /// The address, with 128 bits, or the prefix.
    pub prefix: Ipv6Net,
    /// The link-layer address that speaks for it.
    pub link_layer: MacAddress,
    /// The port of the bridge; `None` if any port will do.
    pub port: Option<String>,
    /// How the daemon learnt that it is theirs.
    pub learnt: Learnt,
    /// The reason, in words.
    pub why: String,
    /// Since when it is theirs.
    pub since: Timestamp,
    /// Whether the packet filter has it.
    pub state: BindingState,
}

/// How the daemon learnt whose an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learnt {
    /// It was leased.
    Lease,
    /// Its client registered it.
    Registration,
    /// It is a delegated prefix.
    DelegatedPrefix,
    /// The client asked for its lease from this link-local address.
    LinkLocal,
    /// A host with it was seen on the link.
    Neighbor,
    /// The daemon gave it to the instance.
    Instance,
    /// The prefix is routed to the instance.
    RoutedPrefix,
}

words!(Learnt {
    Lease = "lease",
    Registration = "registration",
    DelegatedPrefix = "delegated-prefix",
    LinkLocal = "link-local",
    Neighbor = "neighbor",
    Instance = "instance",
    RoutedPrefix = "routed-prefix",
});

/// Whether the packet filter has a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindingState {
    /// It has it.
    InForce,
    /// It does not have it yet.
    Pending,
    /// Another owner claimed the address first. Packets from it are dropped unless they are that owner's.
    HeldBy(Owner),
}

/// The direction of a rule, seen from the client or the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyDirection {
    /// It may connect to the other.
    Out,
    /// The other may connect to it.
    In,
    /// Both may connect.
    Both,
}

words!(PolicyDirection {
    Out = "out",
    In = "in",
    Both = "both",
});

/// Whom somebody may speak with, or may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRule {
    /// The direction.
    pub direction: PolicyDirection,
    /// With whom, in words.
    pub with: String,
    /// The instance that it is about, if it is one.
    pub instance: Option<InstanceId>,
    /// The addresses that it is about, if they are known.
    pub prefix: Option<Ipv6Net>,
    /// The sockets; `None` for everything.
    pub ports: Option<Ports>,
    /// Whether it is allowed. What no rule allows is not.
    pub allowed: bool,
    /// The reason, in words.
    pub why: String,
}

/// What was dropped for one cause. Where a link does not enforce its policy: what would have been dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyDrop {
    /// The stable word for the cause.
    pub cause: &'static str,
    /// What the cause means.
    pub meaning: &'static str,
    /// Packets.
    pub packets: u64,
    /// Bytes, with their headers.
    pub bytes: u64,
}

/// What becomes of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They pass.
    Allowed,
    /// Some of them pass: those that the reason names.
    Partly,
    /// They are dropped.
    Dropped,
    /// They would be dropped, but the link does not enforce its policy.
    WouldBeDropped,
    /// The daemon's packet filter does not check them.
    NotChecked,
}

words!(Verdict {
    Allowed = "allowed",
    Partly = "partly",
    Dropped = "dropped",
    WouldBeDropped = "would-be-dropped",
    NotChecked = "not-checked",
});

/// Whether a subject reaches a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDecision {
    /// The target, in words.
    pub to: String,
    /// The address that was asked about, if it was one.
    pub address: Option<Ipv6Addr>,
    /// The sockets that were asked about; `None` for all.
    pub ports: Option<Ports>,
    /// What becomes of the packets.
    pub verdict: Verdict,
    /// The stable word for the cause under which they are counted, if they are not allowed.
    pub cause: Option<&'static str>,
    /// The rule that decides, or what is missing.
    pub why: String,
}
