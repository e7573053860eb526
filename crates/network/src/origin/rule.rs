//! The table of nftables that marks DHCPv6 messages of clients with their origin, and copies some to a group of NFLOG.
//!
//! As `nft` would show it:
//!
//! ```text
//! table bridge orchestrator-origins-… {              # owned by our socket
//!   set rates { typeof meta iif; size 4096; flags dynamic,timeout; timeout 10s; }
//!   set known { typeof meta iif . ether saddr . meta mark; size 65536; flags dynamic,timeout; timeout 5s; }
//!   chain input {
//!     type filter hook input priority 0; policy accept;
//!     ether type ip6 ip6 nexthdr udp  udp dport 547  meta mark 0
//!       meta mark set jhash meta iif . ether saddr mod 0xffffffff offset 1    # the kernel chooses a seed
//!     ether type ip6 ip6 nexthdr udp  udp dport 547
//!       meta iif . ether saddr . meta mark != @known
//!       update @rates { meta iif limit rate 1000/second burst 1000 packets }
//!       limit rate 4000/second burst 4000 packets
//!       add @known { meta iif . ether saddr . meta mark }  log group N
//!   }
//!   chain servers {
//!     type filter hook prerouting priority -310; policy accept;
//!     @nh,48,8 6 accept                                # most packets, by one question
//!     ether type ip6 ip6 nexthdr icmpv6  ip6 hoplimit 255  icmpv6 type 134  limit rate 10/second burst 20 packets  log group N
//!     ether type ip6 ip6 nexthdr udp  udp sport 547 udp dport 546  limit rate 10/second burst 20 packets  log group N
//!   }
//! }
//! ```
//!
//! The mark is that of the packet in the kernel: no sender can set it, and nobody who does not know the seed can choose a
//! link-layer address with another's mark. What has a mark keeps it: another daemon may have marked it for the same purpose.
//! A port and link-layer address are logged with their mark once in five seconds, however much they send. Each port has a rate of its own, so a flood of link-layer addresses on one port costs the others
//! no record. Nothing is dropped. A message with an extension header before UDP is not marked: no client sends that.
//!
//! The chain `servers` logs some of what other DHCPv6 servers and routers behind a port send to clients, before any rule
//! drops it.

use super::packet::{ICMP6_OF_NEIGHBOR, ROUTER_ADVERTISEMENT, SERVER_TO_CLIENT};
use crate::netfilter::nftables::{BEGIN, END, NEW_CHAIN, NEW_RULE, NEW_SET, NEW_TABLE, SUBSYSTEM as NFTABLES};
use crate::netfilter::{Attributes, Message};

/// A limit on records. Beyond it, messages pass without one. A record costs some microseconds.
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
/// The limit for messages of other servers, and for advertisements of other routers.
const OF_SERVERS: Limit = Limit { rate: 10, burst: 20 };

/// The set of the ports' limits: more entries than a bridge has ports, and how long one is kept after its last message.
const RATES: &str = "rates";
/// What the set is known by within its transaction.
const RATES_ID: u32 = 1;
const RATES_SIZE: u32 = 4096;
const RATES_MILLISECONDS: u64 = 10_000;
/// The set of what was logged: more than [`OF_ALL`] allows in the time that one is kept.
const KNOWN: &str = "known";
const KNOWN_ID: u32 = 2;
const KNOWN_SIZE: u32 = 65_536;
const KNOWN_MILLISECONDS: u64 = 5_000;

/// The family of bridges, and the hook of what is for the machine itself.
const BRIDGE: u8 = 7;
const LOCAL_IN: u32 = 1;
/// The hook of all that comes in by a port, and a priority before that of filters.
const PREROUTING: u32 = 0;
const BEFORE_FILTERS: i32 = -310;
/// The table goes with the socket that made it.
const OWNED: u32 = 2;
const ACCEPT: u32 = 1;
/// What `nft` calls the type of the index of an interface, and the mark among what a rule can load of a packet.
const INDEX: u32 = 40;
const MARK: u32 = 3;
/// The register that values are compared in.
const REGISTER: u32 = 2;
/// Small registers one behind the other: those of the port, of the link-layer address (6 bytes in two), and of the mark.
const PORT_REGISTER: u32 = 8;
const ADDRESS_REGISTER: u32 = 9;
const MARK_REGISTER: u32 = 11;
/// Bytes from the first of them that are hashed, and bytes that tell whether a mark is known.
const HASHED: u32 = 10;
const KNOWN_LENGTH: u32 = 16;

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
        message(NEW_SET).having(known(table)),
        // Each goes before those that are there.
        rule(CHAIN, &logging(group)),
        rule(CHAIN, &marking()),
        chain(SERVERS, PREROUTING, BEFORE_FILTERS),
        rule(SERVERS, &of_servers(group)),
        rule(SERVERS, &of_routers(group)),
        rule(SERVERS, &of_neither()),
        Message::mark(END, NFTABLES),
    ]
}

/// IPv6, UDP, to the servers' port. A client may send from any address that it holds.
fn to_servers() -> [[Attributes; 2]; 3] {
    [
        [meta_protocol(), equals(&0x86dd_u16.to_be_bytes())],
        [network_header(6, 1), equals(&[17])],
        [network_header(42, 2), equals(&547_u16.to_be_bytes())],
    ]
}

/// Marks what has no mark.
fn marking() -> Attributes {
    let unmarked = [mark(REGISTER), equals(&[0; 4])];
    let steps = [unmarked, [incoming_port(), sender()], [hash(), set_mark()]];
    list(&[&to_servers()[..], &steps].concat())
}

/// Logs what is not known, within the limit of its port, and then within that of all.
fn logging(group: u16) -> Attributes {
    let steps = [
        [incoming_port(), sender()],
        [mark(MARK_REGISTER), is_not_known()],
        [within_rate_of_port(), limit(&OF_ALL)],
        [add_known(), log(group)],
    ];
    list(&[&to_servers()[..], &steps].concat())
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

fn of_routers(group: u16) -> Attributes {
    let steps = [
        [meta_protocol(), equals(&0x86dd_u16.to_be_bytes())],
        [network_header(6, 2), equals(&ICMP6_OF_NEIGHBOR)],
        [network_header(40, 1), equals(&[ROUTER_ADVERTISEMENT])],
        [limit(&OF_SERVERS), log(group)],
    ];
    list(&steps)
}

/// Ends the chain for TCP. Packets of other protocols that match are not logged, either.
fn of_neither() -> Attributes {
    list(&[[network_header(6, 1), equals(&[6])]]).with_nested(1, &accept())
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

/// Loads bytes of the packet, counted from the header of IPv6, or of whatever else it is.
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

/// Ends the chain.
fn accept() -> Attributes {
    const VERDICT: u32 = 0;
    let verdict = Attributes::default().with_number(1, ACCEPT);
    let data = Attributes::default().with_nested(2, &verdict);
    expression(
        "immediate",
        &Attributes::default().with_number(1, VERDICT).with_nested(2, &data),
    )
}

/// Loads the index of the bridge port.
fn incoming_port() -> Attributes {
    const INCOMING: u32 = 4;
    let of = Attributes::default()
        .with_number(1, PORT_REGISTER)
        .with_number(2, INCOMING);
    expression("meta", &of)
}

/// Loads the mark of the packet.
fn mark(register: u32) -> Attributes {
    let of = Attributes::default().with_number(1, register).with_number(2, MARK);
    expression("meta", &of)
}

/// Loads the link-layer address that the frame came from.
fn sender() -> Attributes {
    const LINK_LAYER: u32 = 0;
    let of = Attributes::default()
        .with_number(1, ADDRESS_REGISTER)
        .with_number(2, LINK_LAYER);
    expression("payload", &of.with_number(3, 6).with_number(4, 6))
}

/// Loads the mark of port and link-layer address: any number but 0, which is the mark of what was never marked. The kernel
/// chooses a seed at random, since none is given.
fn hash() -> Attributes {
    const JENKINS: u32 = 0;
    let of = Attributes::default()
        .with_number(1, PORT_REGISTER)
        .with_number(2, MARK_REGISTER);
    let of = of.with_number(3, HASHED).with_number(4, u32::MAX);
    expression("hash", &of.with_number(6, 1).with_number(7, JENKINS))
}

/// Gives the packet its mark.
fn set_mark() -> Attributes {
    let of = Attributes::default().with_number(2, MARK);
    expression("meta", &of.with_number(3, MARK_REGISTER))
}

/// Goes on only if port, link-layer address and mark were not logged lately.
fn is_not_known() -> Attributes {
    const INVERTED: u32 = 1;
    let of = Attributes::default().with_text(1, KNOWN).with_number(2, PORT_REGISTER);
    expression("lookup", &of.with_number(4, KNOWN_ID).with_number(5, INVERTED))
}

/// Records that they are logged.
fn add_known() -> Attributes {
    const ADD: u32 = 0;
    let of = Attributes::default().with_text(1, KNOWN).with_number(2, KNOWN_ID);
    expression("dynset", &of.with_number(3, ADD).with_number(4, PORT_REGISTER))
}

/// Goes on only while the port keeps its limit.
fn within_rate_of_port() -> Attributes {
    const UPDATE: u32 = 1;
    let of = Attributes::default().with_text(1, RATES).with_number(2, RATES_ID);
    let of = of.with_number(3, UPDATE).with_number(4, PORT_REGISTER);
    expression("dynset", &of.with_nested(7, &limit(&OF_PORT)))
}

/// The set of the ports' limits.
fn rates(table: &str) -> Attributes {
    set(table, RATES, RATES_ID)
        .with_number(4, INDEX)
        .with_number(5, 4)
        .with_nested(9, &Attributes::default().with_number(1, RATES_SIZE))
        .with(11, &RATES_MILLISECONDS.to_be_bytes())
}

/// The set of what was logged.
fn known(table: &str) -> Attributes {
    const LINK_LAYER: u32 = 9;
    const OF_MARKS: u32 = 19;
    set(table, KNOWN, KNOWN_ID)
        .with_number(4, (INDEX << 6 | LINK_LAYER) << 6 | OF_MARKS)
        .with_number(5, KNOWN_LENGTH)
        .with_nested(9, &Attributes::default().with_number(1, KNOWN_SIZE))
        .with(11, &KNOWN_MILLISECONDS.to_be_bytes())
}

/// A set whose elements are added by rules and end by themselves.
fn set(table: &str, name: &str, id: u32) -> Attributes {
    const TIMEOUT: u32 = 0x10;
    const EVALUATED: u32 = 0x20;
    Attributes::default()
        .with_text(1, table)
        .with_text(2, name)
        .with_number(3, TIMEOUT | EVALUATED)
        .with_number(10, id)
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
