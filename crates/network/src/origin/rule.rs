//! The table of nftables that copies DHCPv6 messages of clients to a group of NFLOG.
//!
//! As `nft` would show it:
//!
//! ```text
//! table bridge orchestrator-origins-… {              # owned by our socket
//!   chain input {
//!     type filter hook input priority 0; policy accept;
//!     ether type ip6 ip6 nexthdr udp  ip6 saddr fe00::/8  udp dport 547  limit rate 2000/second burst 1000 packets  log group N
//!   }
//! }
//! ```
//!
//! It drops nothing. A message with an extension header before UDP is not logged: no client sends that.

use super::message::{Attributes, Message};

/// Messages a second that are logged, on all bridges together, and how many of a burst. Beyond it, messages pass without
/// a record. A record costs some microseconds.
const RATE: u64 = 2000;
const BURST: u32 = 1000;

/// Subsystem and messages.
const NFTABLES: u16 = 10;
const NEW_TABLE: u16 = 0;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const BEGIN: u16 = 16;
const END: u16 = 17;
/// The family of bridges, and the hook of what is for the machine itself.
const BRIDGE: u8 = 7;
const LOCAL_IN: u32 = 1;
/// The table goes with the socket that made it.
const OWNED: u32 = 2;
const ACCEPT: u32 = 1;
/// The register that values are compared in.
const REGISTER: u32 = 1;

const CHAIN: &str = "input";

/// The name of a daemon's table.
pub(super) fn table_name(daemon: &str) -> String {
    format!("orchestrator-origins-{daemon}")
}

/// All that makes the table, as one transaction.
pub(super) fn transaction(table: &str, group: u16) -> Vec<Message> {
    let message = |kind| Message::new(NFTABLES, kind).for_family(BRIDGE).creating();
    let hook = Attributes::default().with_number(1, LOCAL_IN).with_number(2, 0);
    vec![
        Message::mark(BEGIN, NFTABLES),
        message(NEW_TABLE).having(Attributes::default().with_text(1, table).with_number(2, OWNED)),
        message(NEW_CHAIN).having(
            Attributes::default()
                .with_text(1, table)
                .with_text(3, CHAIN)
                .with_nested(4, &hook)
                .with_number(5, ACCEPT)
                .with_text(7, "filter"),
        ),
        message(NEW_RULE).having(
            Attributes::default()
                .with_text(1, table)
                .with_text(2, CHAIN)
                .with_nested(4, &expressions(group)),
        ),
        Message::mark(END, NFTABLES),
    ]
}

fn expressions(group: u16) -> Attributes {
    let steps = [
        // IPv6, UDP, from an address that begins like a link-local one, to the servers' port.
        [meta_protocol(), equals(&0x86dd_u16.to_be_bytes())],
        [network_header(6, 1), equals(&[17])],
        [network_header(8, 1), equals(&[0xfe])],
        [network_header(42, 2), equals(&547_u16.to_be_bytes())],
        [limit(), log(group)],
    ];
    let list = steps.iter().flatten();
    list.fold(Attributes::default(), |list, step| list.with_nested(1, step))
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

/// Goes on only while the rate is kept.
fn limit() -> Attributes {
    const SECOND: u64 = 1;
    let of = Attributes::default().with(1, &RATE.to_be_bytes());
    expression("limit", &of.with(2, &SECOND.to_be_bytes()).with_number(3, BURST))
}

/// Copies the packet to the group.
fn log(group: u16) -> Attributes {
    expression("log", &Attributes::default().with(1, &group.to_be_bytes()))
}
