//! What the packet filter allows a client or an instance, why, and what it dropped.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_model::{ClientId, InstanceId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::word::words;
use crate::{Owner, scalar};

/// A question about a policy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyQuery {
    /// Somebody to reach: an address, or the id of a client or an instance. The answer then has `decision`.
    pub to: Option<String>,
    /// The ports to reach, such as `tcp/443` or `udp/5000-5010`; without it, all. Only with `to`.
    pub ports: Option<String>,
}

/// What the packet filter allows a client or an instance, why, and what it dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyView {
    /// The client; `null` if the policy is of an instance.
    #[schemars(with = "Option<scalar::Id>")]
    pub client: Option<ClientId>,
    /// The instance; `null` if the policy is of a client.
    #[schemars(with = "Option<scalar::Id>")]
    pub instance: Option<InstanceId>,
    /// Why the packet filter is not as it should be, so that it may do something else than is said here; `null` if it is.
    pub fault: Option<String>,
    /// The links that it is on: where a client holds leases, or an instance has interfaces.
    pub links: Vec<PolicyLink>,
    /// The addresses and prefixes that it may speak from. What comes from another one is dropped.
    pub bindings: Vec<PolicyBinding>,
    /// Whom it may speak with. What no rule allows is dropped.
    pub rules: Vec<PolicyRule>,
    /// What was dropped of it since its links are checked, by cause; of links that do not enforce their policy, what
    /// would have been dropped. Counts of a sender of whom nothing was dropped for a day begin anew.
    pub drops: Vec<PolicyDrop>,
    /// Why it is not known what was dropped; `null` if it is known.
    pub uncounted: Option<String>,
    /// Whether it reaches `to`; `null` if that was not asked.
    pub decision: Option<PolicyDecision>,
}

/// How a link checks packets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyLink {
    /// The name of the link.
    pub link: String,
    /// Whether the packets of its clients and instances are checked at all.
    pub isolation: bool,
    /// Whether what is not allowed is dropped. Otherwise it is only counted.
    pub enforce: bool,
}

words! {
    /// How the daemon learnt whose an address is.
    pub enum Learnt {
        /// It was leased.
        Lease = "lease",
        /// Its client registered it (RFC 9686).
        Registration = "registration",
        /// It is a prefix that was delegated to the client.
        DelegatedPrefix = "delegated-prefix",
        /// The client asked for its lease from this link-local address; or an instance forms it from its link-layer address.
        LinkLocal = "link-local",
        /// A host with it was seen on the link.
        Neighbor = "neighbor",
        /// The daemon gave it to the instance.
        Instance = "instance",
        /// The prefix is routed to the instance.
        RoutedPrefix = "routed-prefix",
    }
}

words! {
    /// Whether the packet filter has a binding.
    pub enum BindingState {
        /// It has it.
        InForce = "in-force",
        /// It does not have it yet.
        Pending = "pending",
        /// Another owner claimed the address first: packets from it are dropped unless they are that owner's.
        Held = "held",
    }
}

/// An address or prefix that somebody may speak from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyBinding {
    /// The link.
    pub link: String,
    /// The prefix; of a single address, with the length 128.
    #[schemars(with = "scalar::Ipv6Prefix")]
    pub prefix: Ipv6Net,
    /// The link-layer address that speaks for it.
    #[schemars(with = "scalar::LinkLayerAddress")]
    pub link_layer: String,
    /// The port of the bridge that it is bound to; `null` if any port will do.
    pub port: Option<String>,
    /// How the daemon learnt whose it is.
    pub learnt: Learnt,
    /// The reason, in words.
    pub why: String,
    /// Since when it is theirs.
    #[schemars(with = "scalar::Timestamp")]
    pub since: Timestamp,
    /// Whether the packet filter has it.
    pub state: BindingState,
    /// The owner who claimed it first, in state `held`.
    pub held_by: Option<Owner>,
}

words! {
    /// The direction of a rule, seen from the client or the instance.
    pub enum PolicyDirection {
        /// It may connect to the other. Answers pass.
        Out = "out",
        /// The other may connect to it. Answers pass.
        In = "in",
        /// Both may connect.
        Both = "both",
    }
}

/// Whom somebody may speak with, or may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyRule {
    /// The direction.
    pub direction: PolicyDirection,
    /// With whom, in words.
    pub with: String,
    /// The instance that it is about, if it is one.
    #[schemars(with = "Option<scalar::Id>")]
    pub instance: Option<InstanceId>,
    /// The addresses that it is about, if they are known.
    #[schemars(with = "Option<scalar::Ipv6Prefix>")]
    pub prefix: Option<Ipv6Net>,
    /// The ports, such as `tcp/443`; `null` for everything.
    pub ports: Option<String>,
    /// Whether it is allowed.
    pub allowed: bool,
    /// The reason, in words: the key of a template or a link, an own instance.
    pub why: String,
}

/// What was dropped for one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyDrop {
    /// The cause, as a stable word.
    pub cause: String,
    /// What the cause means.
    pub meaning: String,
    /// Packets.
    pub packets: u64,
    /// Bytes, with their headers.
    pub bytes: u64,
}

words! {
    /// What becomes of packets.
    pub enum Verdict {
        /// They pass.
        Allowed = "allowed",
        /// Some of them pass: those that the reason names.
        Partly = "partly",
        /// They are dropped.
        Dropped = "dropped",
        /// They would be dropped, but the link does not enforce its policy (`enforce = false`).
        WouldBeDropped = "would-be-dropped",
        /// The daemon's packet filter does not check them: something else decides.
        NotChecked = "not-checked",
    }
}

/// Whether somebody reaches somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyDecision {
    /// The one that is to be reached, in words.
    pub to: String,
    /// The address that was asked about; `null` if an id was.
    #[schemars(with = "Option<scalar::Ipv6Address>")]
    pub address: Option<Ipv6Addr>,
    /// The ports that were asked about; `null` for all.
    pub ports: Option<String>,
    /// What becomes of the packets.
    pub verdict: Verdict,
    /// The cause under which they are counted, if they are not allowed.
    pub cause: Option<String>,
    /// The rule that decides, or what is missing.
    pub why: String,
}
