//! Packets from addresses that are not the sender's.

use orchestrator_host::DropCause;

use super::{MARK, Table, address, as_from, as_mac, ends, routed};
use crate::attack::lab::Who;
use orchestrator_wire::packet;

pub(super) fn sources(t: &mut Table) {
    use Who::{Alice, Bob, Bridge, Instance, Other, Stranger};
    macro_rules! source {
        ($name:literal, $from:expr, $to:expr, $cause:ident, $ends:expr) => {{
            t.attack(
                $name,
                $from,
                $to,
                DropCause::$cause,
                packet::udp($ends, (4000, 4000), &MARK),
            );
        }};
    }
    source!(
        "a client has another's address",
        Alice,
        Bridge,
        Source,
        as_from(routed(Alice, Bridge), Bob.address())
    );
    source!(
        "a client has another's link-layer and network address",
        Alice,
        Bridge,
        Place,
        as_mac(routed(Bob, Bridge), Bob.mac())
    );
    source!(
        "a client has a made-up link-layer address",
        Alice,
        Bridge,
        Source,
        as_mac(routed(Alice, Bridge), [2, 9, 9, 9, 9, 9])
    );
    source!(
        "a client has the host's address",
        Alice,
        Bob,
        Source,
        as_from(ends(Alice, Bob), Bridge.address())
    );
    source!(
        "a client has an instance's address",
        Alice,
        Bob,
        Source,
        as_from(ends(Alice, Bob), Instance.address())
    );
    source!(
        "a client has another's link-local address",
        Alice,
        Bob,
        Source,
        as_from(ends(Alice, Bob), Bob.link_local())
    );
    source!(
        "a client has a prefix that was not delegated to it",
        Bob,
        Bridge,
        Source,
        as_from(routed(Bob, Bridge), address("fd40:a::1"))
    );
    source!(
        "a stranger has an address that nobody has",
        Stranger,
        Bridge,
        Source,
        as_from(routed(Stranger, Bridge), address("fd39::77"))
    );
    source!(
        "an instance has its client's address",
        Instance,
        Bob,
        Source,
        as_from(ends(Instance, Bob), Alice.address())
    );
    source!(
        "an instance has another instance's address",
        Instance,
        Bob,
        Source,
        as_from(ends(Instance, Bob), Other.address())
    );
    source!(
        "an instance has the host's address",
        Instance,
        Alice,
        Source,
        as_from(ends(Instance, Alice), Bridge.address())
    );
    source!(
        "an instance has another link-layer address",
        Instance,
        Alice,
        Source,
        as_mac(ends(Instance, Alice), [2, 8, 8, 8, 8, 8])
    );
    source!(
        "an instance has another instance's link-layer and network address",
        Instance,
        Bob,
        Source,
        as_mac(ends(Other, Bob), Other.mac())
    );
    source!(
        "an instance has an address of the world",
        Instance,
        Bridge,
        Source,
        as_from(routed(Instance, Bridge), address("2001:db8::1"))
    );
    t.attack(
        "an instance speaks IPv4",
        Instance,
        Alice,
        DropCause::Ethernet,
        packet::ethernet(ends(Instance, Alice), 0x0800, &[0x45; 60]),
    );
    t.attack(
        "an instance sends ARP",
        Instance,
        Alice,
        DropCause::Ethernet,
        packet::ethernet(ends(Instance, Alice), 0x0806, &[1; 60]),
    );
    // What would pass as IPv6, under the number of another protocol.
    let disguised = |ends, kind: [u8; 2]| {
        let mut frame = packet::tcp(ends, (4000, 4000), 2, &MARK);
        frame[12..14].copy_from_slice(&kind);
        frame
    };
    t.attack(
        "a client sends what looks like IPv6 as IPv4",
        Alice,
        Bob,
        DropCause::Ethernet,
        disguised(ends(Alice, Bob), [0x08, 0x00]),
    );
    t.attack(
        "an instance sends what looks like IPv6 as IPv4",
        Instance,
        Alice,
        DropCause::Ethernet,
        disguised(ends(Instance, Alice), [0x08, 0x00]),
    );
    t.attack(
        "an instance sends what looks like IPv6 as an unknown protocol",
        Instance,
        Alice,
        DropCause::Ethernet,
        disguised(ends(Instance, Alice), [0x88, 0xb5]),
    );
    t.attack(
        "a client sends frames of an unknown protocol",
        Alice,
        Bob,
        DropCause::Ethernet,
        packet::ethernet(ends(Alice, Bob), 0x88b5, &[2; 60]),
    );
}
