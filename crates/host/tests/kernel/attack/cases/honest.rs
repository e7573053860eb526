//! Honest traffic, which passes.

use std::net::Ipv6Addr;

use super::{ALL_NODES, MARK, SERVERS, Table, address, as_from, as_mac, ends, group, local, routed};
use crate::attack::lab::Who;
use orchestrator_wire::packet::{self, Ends};

pub(super) fn honest(t: &mut Table) {
    use Who::{Alice, Bob, Bridge, Far, Host, Instance, Relay, Router, Stranger, World};
    let mark = MARK;
    let bytes = &mark[..];
    t.honest(
        "a client connects to its instance",
        Alice,
        Instance,
        packet::tcp(ends(Alice, Instance), (6000, 22), 2, bytes),
    );
    let global = as_from(local(Instance, Alice), Instance.address());
    t.honest(
        "an instance advertises its address to a link-local address, from that address",
        Instance,
        Alice,
        packet::advert(global, Instance.address(), Some(Instance.mac())),
    );
    t.honest(
        "its instance answers",
        Instance,
        Alice,
        packet::tcp(ends(Instance, Alice), (22, 6000), 18, bytes),
    );
    t.honest(
        "a client reaches its instance by link-local addresses",
        Alice,
        Instance,
        packet::udp(local(Alice, Instance), (6001, 9), bytes),
    );
    t.honest(
        "an instance connects to its client",
        Instance,
        Alice,
        packet::tcp(ends(Instance, Alice), (6002, 22), 2, bytes),
    );
    t.honest(
        "a client sends from its delegated prefix",
        Alice,
        Instance,
        packet::udp(as_from(ends(Alice, Instance), address("fd40:a::1")), (6003, 9), bytes),
    );
    t.honest(
        "a client asks for its instance",
        Alice,
        Instance,
        packet::solicit(
            Ends {
                to: address("ff02::1:ff00:3"),
                to_mac: [0x33, 0x33, 0xff, 0, 0, 3],
                ..local(Alice, Instance)
            },
            Instance.address(),
            Some(Alice.mac()),
        ),
    );
    t.honest(
        "the instance answers",
        Instance,
        Alice,
        packet::advert(local(Instance, Alice), Instance.address(), Some(Instance.mac())),
    );
    t.honest(
        "an instance asks for its client",
        Instance,
        Alice,
        packet::solicit(
            Ends {
                to: address("ff02::1:ff00:0"),
                to_mac: [0x33, 0x33, 0xff, 0, 0, 0],
                ..local(Instance, Alice)
            },
            Alice.address(),
            Some(Instance.mac()),
        ),
    );
    t.honest(
        "an instance asks for its client's link-local address",
        Instance,
        Alice,
        packet::solicit(
            Ends {
                to: address("ff02::1:ff00:0"),
                to_mac: [0x33, 0x33, 0xff, 0, 0, 0],
                ..local(Instance, Alice)
            },
            Alice.link_local(),
            Some(Instance.mac()),
        ),
    );
    t.honest(
        "an instance checks whether its client is there",
        Instance,
        Alice,
        packet::solicit(local(Instance, Alice), Alice.link_local(), Some(Instance.mac())),
    );
    t.honest(
        "a client speaks with another",
        Alice,
        Bob,
        packet::udp(ends(Alice, Bob), (6004, 9), bytes),
    );
    t.honest(
        "another client connects to the open port",
        Bob,
        Instance,
        packet::tcp(ends(Bob, Instance), (6005, 443), 2, bytes),
    );
    t.honest(
        "the open port answers",
        Instance,
        Bob,
        packet::tcp(ends(Instance, Bob), (443, 6005), 18, bytes),
    );
    t.honest(
        "a new machine asks for a lease",
        Stranger,
        Bridge,
        packet::udp(group(Stranger, SERVERS), (546, 547), b"\x01solicit of a new machine"),
    );
    t.honest(
        "a new machine asks for a lease, from another port",
        Stranger,
        Bridge,
        packet::udp(group(Stranger, SERVERS), (50546, 547), b"\x01solicit from another port"),
    );
    t.honest(
        "an instance answers its client, which asked from its link-local address",
        Instance,
        Alice,
        packet::advert(
            Ends {
                to: Alice.link_local(),
                ..ends(Instance, Alice)
            },
            Instance.address(),
            Some(Instance.mac()),
        ),
    );
    t.honest(
        "a new machine looks for a router",
        Stranger,
        Bridge,
        packet::icmp(
            group(Stranger, "ff02::2"),
            133,
            255,
            &[0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 2],
        ),
    );
    let nameless = Ends {
        from: Ipv6Addr::UNSPECIFIED,
        ..group(Stranger, "ff02::1:ff00:77")
    };
    t.honest(
        "a new machine checks for a duplicate",
        Stranger,
        Bridge,
        packet::solicit(nameless, address("fd39::77"), None),
    );
    t.honest(
        "a new machine answers the host",
        Stranger,
        Bridge,
        packet::advert(local(Stranger, Bridge), Stranger.link_local(), Some(Stranger.mac())),
    );
    let report = [&[0, 0, 0, 1, 4, 0, 0, 0][..], &address("ff02::1:ff00:77").octets()].concat();
    t.honest(
        "a new machine reports its groups",
        Stranger,
        Bridge,
        packet::icmp(group(Stranger, "ff02::16"), 143, 1, &report),
    );
    t.honest(
        "a machine registers an address that it formed",
        Stranger,
        Bridge,
        packet::udp(
            as_from(group(Stranger, SERVERS), address("fd39::78")),
            (546, 547),
            b"\x24registration",
        ),
    );
    t.honest(
        "a router advertises itself",
        Router,
        Bob,
        packet::icmp(
            group(Router, ALL_NODES),
            134,
            255,
            &[64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 3],
        ),
    );
    t.honest(
        "a router passes on from the world",
        Router,
        Bob,
        packet::udp(as_from(ends(Router, Bob), address("2001:db8::9")), (6007, 9), bytes),
    );
    t.honest(
        "a relay agent relays",
        Relay,
        Bridge,
        packet::udp(group(Relay, SERVERS), (547, 547), b"\x0crelay-forward of a relay agent"),
    );
    t.honest(
        "a client reaches its instance of another link",
        Alice,
        Far,
        packet::udp(routed(Alice, Far), (6008, 9), bytes),
    );
    t.honest(
        "that instance answers",
        Far,
        Alice,
        packet::udp(routed(Far, Alice), (9, 6008), bytes),
    );
    t.honest(
        "an instance reaches what its template allows",
        Instance,
        World,
        packet::udp(routed(Instance, World), (6009, 443), bytes),
    );
    t.honest(
        "the world answers",
        World,
        Instance,
        packet::udp(
            Ends {
                to_mac: [2, 0, 0, 0, 0, 3],
                ..ends(World, Instance)
            },
            (443, 6009),
            bytes,
        ),
    );
    t.honest(
        "an instance asks the host's name server",
        Instance,
        Host,
        packet::udp(routed(Instance, Host), (6010, 53), bytes),
    );
    t.honest(
        "a client reaches the host",
        Alice,
        Host,
        packet::udp(routed(Alice, Host), (6011, 9999), bytes),
    );
    t.honest(
        "an instance pings the host",
        Instance,
        Bridge,
        packet::echo(routed(Instance, Bridge), bytes),
    );
    let moved = as_mac(group(Bob, SERVERS), Bob.mac());
    t.honest(
        "a client that moved renews its lease",
        Alice,
        Bridge,
        packet::udp(moved, (546, 547), b"\x05renew of one that moved"),
    );
}
