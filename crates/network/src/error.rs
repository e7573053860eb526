//! Errors of bridges, attachments and routes, each with its remedy.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::Ipv6Net;

/// Why something could not be done to a link.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// No netlink socket, or no thread to drive it.
    #[error("cannot open netlink; raise the limits on open files and threads")]
    Open(#[source] io::Error),
    /// The netlink connection has ended under us.
    #[error("the netlink connection ended while {doing}; open the network again")]
    Closed {
        /// What was being done.
        doing: String,
    },
    /// The kernel did not answer in time, mostly because something else holds its link lock.
    #[error("{doing} took longer than {} s; try again when the machine is less busy", limit.as_secs())]
    TimedOut {
        /// What was being done.
        doing: String,
        /// The limit that ran out.
        limit: Duration,
    },
    /// The kernel does not let us.
    #[error("{doing} is not permitted; run with CAP_NET_ADMIN, CAP_SYS_ADMIN and CAP_SYS_PTRACE")]
    NotPermitted {
        /// What was being done.
        doing: String,
    },
    /// This machine has no packet filter that can be used.
    #[error(
        "this machine has no usable packet filter: {reason}; it takes the program nft (package nftables) and a kernel with nftables in the families bridge and inet"
    )]
    NoFilter {
        /// What is missing.
        reason: String,
    },
    /// The kernel refused for a reason that has no variant of its own.
    #[error("{doing} was refused by the kernel")]
    Refused {
        /// What was being done.
        doing: String,
        /// The kernel's reason.
        #[source]
        source: io::Error,
    },
    /// A plan that can never be carried out.
    #[error("{subject} cannot be wired: {reason}")]
    BadPlan {
        /// The bridge or interface of the plan.
        subject: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The bridge is not there yet, and the plan does not let us make it.
    #[error("bridge {bridge} is missing; make it, or set create = true for it")]
    BridgeMissing {
        /// The name that was looked for.
        bridge: String,
    },
    /// The name belongs to something that has no ports.
    #[error("{name} is a {kind} interface and no bridge; give the link another name, or remove that interface")]
    NotABridge {
        /// The name of the bridge that was looked for.
        name: String,
        /// What it is, in the kernel's words.
        kind: String,
    },
    /// The bridge is to go, but others have ports on it.
    #[error("bridge {bridge} has {ports} ports that are not ours; take them out of it first")]
    BridgeInUse {
        /// Name of the bridge.
        bridge: String,
        /// Its ports.
        ports: usize,
    },
    /// The bridge has as many ports as the kernel allows: 1,023.
    #[error("bridge {bridge} has no port left (a bridge takes 1023); remove instances, or use another bridge")]
    BridgeFull {
        /// The full bridge.
        bridge: String,
    },
    /// The bridge has the address with another prefix length.
    #[error("bridge {bridge} has {wanted} with prefix length {found}; remove it there, or set it so in the link")]
    PrefixDiffers {
        /// The bridge.
        bridge: String,
        /// The address as planned.
        wanted: Ipv6Net,
        /// The prefix length on the bridge.
        found: u8,
    },
    /// IPv6 is switched off on an interface that is not ours to change.
    #[error("IPv6 is off on {interface}; set net.ipv6.conf.{interface}.disable_ipv6=0")]
    Ipv6Disabled {
        /// The interface.
        interface: String,
    },
    /// The kernel has no IPv6 on an interface with so small an MTU.
    #[error(
        "{interface} has an MTU of {mtu}, and IPv6 takes 1280 at least; raise it, and that of its ports: ip link set {interface} mtu 1500"
    )]
    MtuTooSmall {
        /// The interface.
        interface: String,
        /// Its MTU in bytes.
        mtu: u32,
    },
    /// The bridge that we made for a link has another name now, and still has the link's address.
    #[error(
        "bridge {bridge} was renamed to {now} and still has the link's address; rename it back (ip link set {now} name {bridge}), or remove it (ip link delete {now})"
    )]
    BridgeRenamed {
        /// The planned name.
        bridge: String,
        /// The name that it has now.
        now: String,
    },
    /// The name of the host end belongs to an interface without our mark.
    #[error("interface {interface} exists and is not ours (alias {alias:?}); rename or remove it")]
    InterfaceTaken {
        /// The name that was wanted.
        interface: String,
        /// The alias that was found instead of the mark.
        alias: String,
    },
    /// The namespace has an interface of the wanted name that is not the other end of our pair.
    #[error("namespace {} has an {interface} already that is not ours; give the instance no such network", netns.display())]
    InsideTaken {
        /// The name that was wanted inside.
        interface: String,
        /// Where the namespace was opened.
        netns: PathBuf,
    },
    /// The interface went away between its making and its configuration.
    #[error("{interface} in {} vanished while it was being wired; wire it again", netns.display())]
    Vanished {
        /// The interface.
        interface: String,
        /// Where its namespace was opened.
        netns: PathBuf,
    },
    /// The target namespace is the daemon's own, or the machine's.
    #[error("{} is the machine's own network namespace; start the instance with one to itself", netns.display())]
    NotSeparate {
        /// Where the namespace was opened.
        netns: PathBuf,
    },
    /// The namespace cannot be opened: most often its last process has ended.
    #[error("network namespace {} is gone; wire the instance again when it runs", netns.display())]
    NamespaceGone {
        /// Where it was looked for.
        netns: PathBuf,
        /// Why it could not be opened.
        #[source]
        source: io::Error,
    },
    /// The path does not lead to a network namespace.
    #[error("{} is no network namespace; name one such as /proc/PID/ns/net", netns.display())]
    NotANamespace {
        /// The path that was given.
        netns: PathBuf,
    },
    /// A network setting under `/proc/sys` could not be written.
    #[error("cannot set {key} to {value}; leave /proc/sys writable for the daemon")]
    Sysctl {
        /// The setting, in the form `sysctl` takes.
        key: String,
        /// The wanted value.
        value: &'static str,
        /// Why it could not be written.
        #[source]
        source: io::Error,
    },
    /// Someone undoes what we do as fast as we do it.
    #[error("{interface} keeps changing while it is being wired; find out what else manages it")]
    Contended {
        /// The host end.
        interface: String,
    },
    /// Nobody listens to the changes any more.
    #[error("the watch on links has no listener any more")]
    Unwatched,
}
