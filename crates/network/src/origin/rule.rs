//! The table of nftables that copies DHCPv6 messages of clients and of other servers to a group of NFLOG.
//!
//! As `nft` would show it:
//!
//! ```text
//! table bridge orchestrator-origins-… {              # owned by our socket
//!   set rates { typeof meta iif; size 4096; flags dynamic,timeout; timeout 10s; }
//!   chain input {
//!     type filter hook input priority 0; policy accept;
//!     ether type ip6 ip6 nexthdr udp  udp dport 547
//!       update @rates { meta iif limit rate 1000/second burst 1000 packets }
//!       limit rate 4000/second burst 4000 packets  log group N
//!   }
//!   chain servers {
//!     type filter hook prerouting priority -310; policy accept;
//!     ether type ip6 ip6 nexthdr udp  udp sport 547 udp dport 546  limit rate 10/second burst 20 packets  log group N
//!   }
//! }
//! ```
//!
//! Each port has a rate of its own, so a flood on one port costs the others no record. It drops nothing. A message with an
//! extension header before UDP is not logged: no client sends that.
//!
//! The chain `servers` logs some of what other DHCPv6 servers behind a port send to clients, before any rule drops it.

use super::packet::SERVER_TO_CLIENT;
use crate::netfilter::nftables::{BEGIN, END, NEW_CHAIN, NEW_RULE, NEW_SET, NEW_TABLE, SUBSYSTEM as NFTABLES};
use crate::netfilter::{Attributes, Message};

/// A limit on records. Beyond it, messages pass without a record. A record costs some microseconds.
struct Limit {
    /// Messages a second.
    rate: u64,
    /// Messages at once.
    burst: u32,
}

/// The limit for each bridge port.
const OF_PORT: Limit = Limit {
    rate: 1000,
    burst: 1000,
};
/// The limit for all ports together.
const OF_ALL: Limit = Limit {
    rate: 4000,
    burst: 4000,
};
/// The limit for messages of other servers.
const OF_SERVERS: Limit = Limit { rate: 10, burst: 20 };

/// The set of the ports' limits: more entries than a bridge has ports, and how long one is kept after its last message.
const RATES: &str = "rates";
/// What the set is known by within its transaction.
const RATES_ID: u32 = 1;
const RATES_SIZE: u32 = 4096;
const RATES_MILLISECONDS: u64 = 10_000;

/// The family of bridges, and the hook of what is for the machine itself.
const BRIDGE: u8 = 7;
const LOCAL_IN: u32 = 1;
/// The hook of all that comes in by a port, and a priority before that of filters.
const PREROUTING: u32 = 0;
const BEFORE_FILTERS: i32 = -310;
/// The table goes with the socket that made it.
const OWNED: u32 = 2;
const ACCEPT: u32 = 1;
/// The register that values are compared in.
const REGISTER: u32 = 1;

const CHAIN: &str = "input";
const SERVERS: &str = "servers";

/// The name of a daemon's table.
pub(super) fn table_name(daemon: &str) -> String {
    format!("orchestrator-origins-{daemon}")
}

/// All that makes the table, as one transaction.
pub(super) fn transaction(table: &str, group: u16) -> Vec<Message> {
    let message = |kind| Message::new(NFTABLES, kind).for_family(BRIDGE).creating();
    let chain = |name, hook, priority: i32| {
        let hook = Attributes::default().with_number(1, hook);
        let hook = hook.with_number(2, priority.cast_unsigned());
        message(NEW_CHAIN).having(
            Attributes::default()
                .with_text(1, table)
                .with_text(3, name)
                .with_nested(4, &hook)
                .with_number(5, ACCEPT)
                .with_text(7, "filter"),
        )
    };
    let rule = |chain, expressions: &Attributes| {
        let of = Attributes::default().with_text(1, table).with_text(2, chain);
        message(NEW_RULE).having(of.with_nested(4, expressions))
    };
    vec![
        Message::mark(BEGIN, NFTABLES),
        message(NEW_TABLE).having(Attributes::default().with_text(1, table).with_number(2, OWNED)),
        chain(CHAIN, LOCAL_IN, 0),
        message(NEW_SET).having(rates(table)),
        rule(CHAIN, &of_clients(group)),
        chain(SERVERS, PREROUTING, BEFORE_FILTERS),
        rule(SERVERS, &of_servers(group)),
        Message::mark(END, NFTABLES),
    ]
}

fn of_clients(group: u16) -> Attributes {
    let steps = [
        // IPv6, UDP, to the servers' port. A client may send from any address that it holds.
        [meta_protocol(), equals(&0x86dd_u16.to_be_bytes())],
        [network_header(6, 1), equals(&[17])],
        [network_header(42, 2), equals(&547_u16.to_be_bytes())],
        // Within the limit of its port, and then within that of all.
        [incoming_port(), within_rate_of_port()],
        [limit(&OF_ALL), log(group)],
    ];
    list(&steps)
}

fn of_servers(group: u16) -> Attributes {
    let steps = [
        // IPv6, UDP, from the servers' port to the clients'.
        [meta_protocol(), equals(&0x86dd_u16.to_be_bytes())],
        [network_header(6, 1), equals(&[17])],
        [network_header(40, 4), equals(&SERVER_TO_CLIENT)],
        [limit(&OF_SERVERS), log(group)],
    ];
    list(&steps)
}

fn list(steps: &[[Attributes; 2]]) -> Attributes {
    let all = steps.iter().flatten();
    all.fold(Attributes::default(), |list, step| list.with_nested(1, step))
}

fn expression(name: &str, attributes: &Attributes) -> Attributes {
    Attributes::default().with_text(1, name).with_nested(2, attributes)
}

/// Loads the protocol of the frame.
fn meta_protocol() -> Attributes {
    const PROTOCOL: u32 = 1;
    expression(
        "meta",
        &Attributes::default().with_number(1, REGISTER).with_number(2, PROTOCOL),
    )
}

/// Loads bytes of the packet, counted from its IPv6 header.
fn network_header(offset: u32, length: u32) -> Attributes {
    const NETWORK: u32 = 1;
    let of = Attributes::default().with_number(1, REGISTER).with_number(2, NETWORK);
    expression("payload", &of.with_number(3, offset).with_number(4, length))
}

/// Goes on only if what was loaded is this.
fn equals(value: &[u8]) -> Attributes {
    const EQUAL: u32 = 0;
    let of = Attributes::default().with_number(1, REGISTER).with_number(2, EQUAL);
    expression("cmp", &of.with_nested(3, &Attributes::default().with(1, value)))
}

/// Loads the index of the bridge port.
fn incoming_port() -> Attributes {
    const INCOMING: u32 = 4;
    let of = Attributes::default().with_number(1, REGISTER).with_number(2, INCOMING);
    expression("meta", &of)
}

/// Goes on only while the port keeps its limit.
fn within_rate_of_port() -> Attributes {
    const UPDATE: u32 = 1;
    let of = Attributes::default().with_text(1, RATES).with_number(2, RATES_ID);
    let of = of.with_number(3, UPDATE).with_number(4, REGISTER);
    expression("dynset", &of.with_nested(7, &limit(&OF_PORT)))
}

/// The set of the ports' limits.
fn rates(table: &str) -> Attributes {
    const TIMEOUT: u32 = 0x10;
    const EVALUATED: u32 = 0x20;
    const INDEX_TYPE: u32 = 40;
    const INDEX_LENGTH: u32 = 4;
    Attributes::default()
        .with_text(1, table)
        .with_text(2, RATES)
        .with_number(3, TIMEOUT | EVALUATED)
        .with_number(4, INDEX_TYPE)
        .with_number(5, INDEX_LENGTH)
        .with_nested(9, &Attributes::default().with_number(1, RATES_SIZE))
        .with_number(10, RATES_ID)
        .with(11, &RATES_MILLISECONDS.to_be_bytes())
}

/// Goes on only while a limit is kept.
fn limit(limit: &Limit) -> Attributes {
    const SECOND: u64 = 1;
    let of = Attributes::default().with(1, &limit.rate.to_be_bytes());
    expression("limit", &of.with(2, &SECOND.to_be_bytes()).with_number(3, limit.burst))
}

/// Copies the packet to the group.
fn log(group: u16) -> Attributes {
    expression("log", &Attributes::default().with(1, &group.to_be_bytes()))
}
