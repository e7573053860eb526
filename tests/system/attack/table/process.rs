//! What a process without capabilities tries in a container.

use super::{Table, tcp, udp, udp_as};
use crate::attack::case::{Act, Through};
use crate::attack::stage::{METADATA, Who};

pub(super) fn ways(t: &mut Table<'_>) {
    use Through::{At, Connected, Service};
    use Who::{Alice, Bob, Hers, His, Host, Mallory, Root, User, World};
    let by_host = t.stage.shape.front_door;
    // Where the link is its own, its question for the neighbour is what is dropped.
    let pair = by_host.then_some("pair");
    let (alice, hers, mallory, host) = (t.address(Alice), t.address(Hers), t.address(Mallory), t.address(Host));
    if by_host {
        t.add("connect to another's instance", User, tcp(hers, 80), Connected, pair);
        t.add("a datagram to another's instance", User, udp(hers, 9), At(Hers), pair);
        t.add(
            "ping another's instance",
            User,
            Act::Ping(hers.to_string()),
            At(Hers),
            pair,
        );
        let other = t.address(Root);
        t.add(
            "connect to its client's other instance",
            User,
            tcp(other, 80),
            Connected,
            pair,
        );
    }
    t.add("connect to another client", User, tcp(alice, 22), Connected, pair);
    t.add("a datagram to another client", User, udp(alice, 9), At(Alice), pair);
    t.add(
        "ping another client",
        User,
        Act::Ping(alice.to_string()),
        At(Alice),
        pair,
    );
    let large = Act::Udp {
        to: alice.to_string(),
        port: 9,
        from: None,
        from_port: None,
        size: 4000,
    };
    t.add("a large datagram to another client", User, large, At(Alice), pair);
    t.add(
        "connect to the host's ssh",
        User,
        tcp(host, 22),
        Connected,
        Some("host"),
    );
    t.add(
        "connect to the host's database",
        User,
        tcp(host, 5432),
        Connected,
        Some("host"),
    );
    let local = format!("{}%eth1", t.link_local(Host));
    t.add(
        "connect to the host's link-local address",
        User,
        tcp(local, 22),
        Connected,
        Some("host"),
    );
    t.add(
        "connect to the world",
        User,
        tcp(t.address(World), 443),
        Connected,
        Some("egress"),
    );
    t.add(
        "speak as another client",
        User,
        udp_as(alice, mallory, 9),
        At(Mallory),
        Some("source"),
    );
    t.add(
        "speak as the host",
        User,
        udp_as(host, mallory, 9),
        At(Mallory),
        Some("source"),
    );
    t.add(
        "speak as another's instance",
        User,
        udp_as(hers, mallory, 9),
        At(Mallory),
        Some("source"),
    );
    t.add(
        "ask the host's DNS as another's instance",
        User,
        udp_as(hers, host, 53),
        Service,
        Some("source"),
    );
    let metadata = Act::Tcp(METADATA.to_owned(), 80, Some(hers));
    t.add("ask for another's metadata", User, metadata, At(Host), Some("source"));
    let server = Act::Udp {
        to: mallory.to_string(),
        port: 546,
        from: None,
        from_port: Some(547),
        size: 100,
    };
    t.add("be a DHCPv6 server", User, server, At(Mallory), Some("dhcp_server"));
    t.add(
        "ask for a lease",
        User,
        udp("ff02::1:2%eth1", 547),
        At(Host),
        Some("host"),
    );
    t.add("speak to all nodes", User, udp("ff02::1%eth1", 9), At(Alice), None);
    t.add(
        "speak to all that listen to multicast DNS",
        User,
        udp("ff02::fb%eth1", 5353),
        At(Alice),
        None,
    );
    if t.stage.has(Bob) {
        t.add(
            "connect to a client of another link",
            User,
            tcp(t.address(Bob), 22),
            At(Bob),
            Some("pair"),
        );
        t.add(
            "connect to an instance of another link",
            User,
            tcp(t.address(His), 80),
            Connected,
            Some("pair"),
        );
        t.add(
            "a datagram to an instance of another link",
            User,
            udp(t.address(His), 9),
            At(His),
            Some("pair"),
        );
    }
}
