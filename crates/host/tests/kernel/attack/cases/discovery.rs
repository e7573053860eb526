//! Neighbour discovery: what a machine says about addresses.

use std::net::Ipv6Addr;

use orchestrator_host::DropCause;

use super::{ADVERTISEMENT, ALL_NODES, Table, address, group, local};
use crate::attack::lab::Who;
use orchestrator_wire::packet::{self, Ends};

pub(super) fn discovery(t: &mut Table) {
    use Who::{Alice, Bob, Instance, Other, Stranger};
    let neighbor = DropCause::Neighbor;
    t.attack(
        "a client advertises another's address",
        Alice,
        Bob,
        neighbor,
        packet::advert(local(Alice, Bob), Bob.address(), Some(Alice.mac())),
    );
    t.attack(
        "a client advertises the host's address",
        Alice,
        Bob,
        neighbor,
        packet::advert(local(Alice, Bob), Who::Bridge.address(), Some(Alice.mac())),
    );
    t.attack(
        "a client advertises an instance's address to all",
        Alice,
        Bob,
        neighbor,
        packet::advert(group(Alice, ALL_NODES), Instance.address(), Some(Alice.mac())),
    );
    t.attack(
        "a client advertises its address at another's link-layer address",
        Alice,
        Bob,
        neighbor,
        packet::advert(local(Alice, Bob), Alice.address(), Some(Bob.mac())),
    );
    t.attack(
        "a client asks in the name of another's link-layer address",
        Alice,
        Bob,
        neighbor,
        packet::solicit(local(Alice, Bob), Bob.address(), Some(Stranger.mac())),
    );
    t.attack(
        "an instance advertises its client's address",
        Instance,
        Alice,
        neighbor,
        packet::advert(local(Instance, Alice), Bob.address(), Some(Instance.mac())),
    );
    t.attack(
        "an instance advertises another instance's address",
        Instance,
        Alice,
        neighbor,
        packet::advert(local(Instance, Alice), Other.address(), Some(Instance.mac())),
    );
    t.attack(
        "a stranger advertises an address that nobody has to a client",
        Stranger,
        Bob,
        neighbor,
        packet::advert(local(Stranger, Bob), address("fd39::77"), Some(Stranger.mac())),
    );
    let nameless = Ends {
        from: Ipv6Addr::UNSPECIFIED,
        ..group(Alice, "ff02::1:ff00:2")
    };
    t.attack(
        "a client claims that another's address is a duplicate",
        Alice,
        Bob,
        neighbor,
        packet::solicit(nameless, Bob.address(), None),
    );
    let far = packet::icmp(
        local(Alice, Bob),
        135,
        64,
        &[&[0; 4][..], &Bob.address().octets()].concat(),
    );
    t.attack(
        "neighbour discovery comes from behind a router",
        Alice,
        Bob,
        neighbor,
        far,
    );
    let redirect = [&[0; 4][..], &Bob.address().octets(), &Bob.address().octets()].concat();
    t.attack(
        "a client sends a redirect",
        Alice,
        Bob,
        DropCause::Redirect,
        packet::icmp(local(Alice, Bob), 137, 255, &redirect),
    );
    t.attack(
        "an instance sends a redirect",
        Instance,
        Alice,
        DropCause::Redirect,
        packet::icmp(local(Instance, Alice), 137, 255, &redirect),
    );
    for (name, who) in [("a client", Alice), ("an instance", Instance), ("a stranger", Stranger)] {
        let name: &'static str = match name {
            "a client" => "a client advertises a router",
            "an instance" => "an instance advertises a router",
            _ => "a stranger advertises a router",
        };
        t.attack(
            name,
            who,
            Bob,
            DropCause::RouterAdvertisement,
            packet::icmp(group(who, ALL_NODES), 134, 255, ADVERTISEMENT),
        );
    }
    t.attack(
        "a router is advertised to the host itself",
        Alice,
        Who::Bridge,
        DropCause::RouterAdvertisement,
        packet::icmp(group(Alice, ALL_NODES), 134, 255, ADVERTISEMENT),
    );
    let query = [&[0, 10, 0, 0][..], &[0; 16], &[0, 0, 0, 0]].concat();
    t.attack(
        "a client queries multicast listeners",
        Alice,
        Bob,
        DropCause::ListenerQuery,
        packet::icmp(group(Alice, ALL_NODES), 130, 1, &query),
    );
}
