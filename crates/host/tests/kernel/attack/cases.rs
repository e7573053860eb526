//! What is tried, and what is to come of it.

use std::net::Ipv6Addr;

use orchestrator_host::DropCause;

use super::frame::{self, Ends, ICMPV6, Mac, UDP, group_mac};
use super::lab::{HOST_MAC, Who};

/// One frame.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) from: Who,
    pub(crate) to: Who,
    pub(crate) frame: Vec<u8>,
    /// Why it is dropped; `None` for honest traffic.
    pub(crate) cause: Option<DropCause>,
}

fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// From one to another by their addresses.
fn ends(from: Who, to: Who) -> Ends {
    Ends {
        from_mac: from.mac(),
        to_mac: to.mac(),
        from: from.address(),
        to: to.address(),
    }
}

/// The same, by way of the host.
fn routed(from: Who, to: Who) -> Ends {
    let to_mac = if from == Who::Far { [2, 0, 0, 0, 0, 2] } else { HOST_MAC };
    Ends {
        to_mac,
        ..ends(from, to)
    }
}

fn local(from: Who, to: Who) -> Ends {
    Ends {
        from: from.link_local(),
        to: to.link_local(),
        ..ends(from, to)
    }
}

fn group(from: Who, to: &str) -> Ends {
    Ends {
        from: from.link_local(),
        to: address(to),
        to_mac: group_mac(address(to)),
        from_mac: from.mac(),
    }
}

fn as_from(ends: Ends, from: Ipv6Addr) -> Ends {
    Ends { from, ..ends }
}

fn as_mac(ends: Ends, from_mac: Mac) -> Ends {
    Ends { from_mac, ..ends }
}

struct Table(Vec<Case>);

impl Table {
    fn attack(&mut self, name: &'static str, from: Who, to: Who, cause: DropCause, frame: Vec<u8>) {
        let cause = Some(cause);
        self.0.push(Case {
            name,
            from,
            to,
            frame,
            cause,
        });
    }

    fn honest(&mut self, name: &'static str, from: Who, to: Who, frame: Vec<u8>) {
        let cause = None;
        self.0.push(Case {
            name,
            from,
            to,
            frame,
            cause,
        });
    }
}

/// What each payload ends with.
const MARK: [u8; 12] = *b"attack suite";
const ALL_NODES: &str = "ff02::1";
const SERVERS: &str = "ff02::1:2";

/// Every case.
pub(crate) fn all() -> Vec<Case> {
    let mut table = Table(Vec::new());
    sources(&mut table);
    discovery(&mut table);
    servers(&mut table);
    headers(&mut table);
    pairs(&mut table);
    through_the_host(&mut table);
    honest(&mut table);
    table.0
}

fn sources(t: &mut Table) {
    use Who::{Alice, Bob, Bridge, Instance, Other, Stranger};
    macro_rules! source {
        ($name:literal, $from:expr, $to:expr, $cause:ident, $ends:expr) => {{
            t.attack(
                $name,
                $from,
                $to,
                DropCause::$cause,
                frame::udp($ends, (4000, 4000), &MARK),
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
        frame::ethernet(ends(Instance, Alice), 0x0800, &[0x45; 60]),
    );
    t.attack(
        "an instance sends ARP",
        Instance,
        Alice,
        DropCause::Ethernet,
        frame::ethernet(ends(Instance, Alice), 0x0806, &[1; 60]),
    );
    t.attack(
        "a client sends frames of an unknown protocol",
        Alice,
        Bob,
        DropCause::Ethernet,
        frame::ethernet(ends(Alice, Bob), 0x88b5, &[2; 60]),
    );
}

fn discovery(t: &mut Table) {
    use Who::{Alice, Bob, Instance, Other, Stranger};
    let neighbor = DropCause::Neighbor;
    t.attack(
        "a client advertises another's address",
        Alice,
        Bob,
        neighbor,
        frame::advert(local(Alice, Bob), Bob.address(), Some(Alice.mac())),
    );
    t.attack(
        "a client advertises the host's address",
        Alice,
        Bob,
        neighbor,
        frame::advert(local(Alice, Bob), Who::Bridge.address(), Some(Alice.mac())),
    );
    t.attack(
        "a client advertises an instance's address to all",
        Alice,
        Bob,
        neighbor,
        frame::advert(group(Alice, ALL_NODES), Instance.address(), Some(Alice.mac())),
    );
    t.attack(
        "a client advertises its address at another's link-layer address",
        Alice,
        Bob,
        neighbor,
        frame::advert(local(Alice, Bob), Alice.address(), Some(Bob.mac())),
    );
    t.attack(
        "a client asks in the name of another's link-layer address",
        Alice,
        Bob,
        neighbor,
        frame::solicit(local(Alice, Bob), Bob.address(), Some(Stranger.mac())),
    );
    t.attack(
        "an instance advertises its client's address",
        Instance,
        Alice,
        neighbor,
        frame::advert(local(Instance, Alice), Bob.address(), Some(Instance.mac())),
    );
    t.attack(
        "an instance advertises another instance's address",
        Instance,
        Alice,
        neighbor,
        frame::advert(local(Instance, Alice), Other.address(), Some(Instance.mac())),
    );
    t.attack(
        "a stranger advertises an address that nobody has to a client",
        Stranger,
        Bob,
        neighbor,
        frame::advert(local(Stranger, Bob), address("fd39::77"), Some(Stranger.mac())),
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
        frame::solicit(nameless, Bob.address(), None),
    );
    let far = frame::icmp(
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
        frame::icmp(local(Alice, Bob), 137, 255, &redirect),
    );
    t.attack(
        "an instance sends a redirect",
        Instance,
        Alice,
        DropCause::Redirect,
        frame::icmp(local(Instance, Alice), 137, 255, &redirect),
    );
    let advertisement = [64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1];
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
            frame::icmp(group(who, ALL_NODES), 134, 255, &advertisement),
        );
    }
    t.attack(
        "a router is advertised to the host itself",
        Alice,
        Who::Bridge,
        DropCause::RouterAdvertisement,
        frame::icmp(group(Alice, ALL_NODES), 134, 255, &advertisement),
    );
    let query = [&[0, 10, 0, 0][..], &[0; 16], &[0, 0, 0, 0]].concat();
    t.attack(
        "a client queries multicast listeners",
        Alice,
        Bob,
        DropCause::ListenerQuery,
        frame::icmp(group(Alice, ALL_NODES), 130, 1, &query),
    );
}

fn servers(t: &mut Table) {
    use Who::{Alice, Bob, Bridge, Instance, Stranger};
    let server = DropCause::DhcpServer;
    t.attack(
        "an instance is a DHCPv6 server",
        Instance,
        Alice,
        server,
        frame::udp(local(Instance, Alice), (547, 546), b"\x02advertise from an instance"),
    );
    t.attack(
        "a client is a DHCPv6 server",
        Alice,
        Bob,
        server,
        frame::udp(local(Alice, Bob), (547, 546), b"\x07reply from a client"),
    );
    t.attack(
        "a server sends from another port",
        Alice,
        Bob,
        server,
        frame::udp(local(Alice, Bob), (12345, 546), b"\x07reply from port 12345"),
    );
    t.attack(
        "a server's message is for the host itself",
        Alice,
        Bridge,
        server,
        frame::udp(local(Alice, Bridge), (547, 546), b"\x07reply to the host"),
    );
    t.attack(
        "a client poses as a relay agent",
        Alice,
        Bridge,
        DropCause::Relay,
        frame::udp(group(Alice, SERVERS), (547, 547), b"\x0crelay-forward of a client"),
    );
    t.attack(
        "a stranger relays from a client's port",
        Stranger,
        Bridge,
        DropCause::Relay,
        frame::udp(group(Stranger, SERVERS), (546, 547), b"\x0crelay-forward of a stranger"),
    );
    t.attack(
        "an instance asks for a lease",
        Instance,
        Bridge,
        DropCause::Host,
        frame::udp(group(Instance, SERVERS), (546, 547), b"\x01solicit of an instance"),
    );
}

fn headers(t: &mut Table) {
    use Who::{Alice, Bob, Instance};
    let ends_of = ends(Alice, Bob);
    let mark = MARK;
    let datagram = frame::udp_bytes(ends_of, (4000, 4000), &mark);
    let routing = [&[UDP, 2, 0, 1, 0, 0, 0, 0][..], &Bob.address().octets(), &datagram].concat();
    t.attack(
        "a client sends a routing header",
        Alice,
        Bob,
        DropCause::RoutingHeader,
        frame::ipv6(ends_of, 43, 64, &routing),
    );
    let advert =
        |ends, target: Ipv6Addr| frame::icmp_bytes(ends, 136, &[&[0x60, 0, 0, 0][..], &target.octets()].concat());
    let behind = |inner: &[u8]| [&[ICMPV6, 0, 1, 4, 0, 0, 0, 0][..], inner].concat();
    let hidden = behind(&advert(local(Alice, Bob), Bob.address()));
    t.attack(
        "an advertisement hides behind destination options",
        Alice,
        Bob,
        DropCause::Header,
        frame::ipv6(local(Alice, Bob), 60, 255, &hidden),
    );
    let router = frame::icmp_bytes(group(Alice, ALL_NODES), 134, &[64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 2]);
    t.attack(
        "a router advertisement hides behind a hop-by-hop header",
        Alice,
        Bob,
        DropCause::Header,
        frame::ipv6(group(Alice, ALL_NODES), 0, 255, &behind(&router)),
    );
    t.attack(
        "a router advertisement is a fragment",
        Alice,
        Bob,
        DropCause::Header,
        frame::fragment(group(Alice, ALL_NODES), ICMPV6, 0, false, &router),
    );
    let parts = frame::udp_bytes(local(Instance, Alice), (547, 546), b"\x07in two fragments");
    t.attack(
        "a server's message is in fragments",
        Instance,
        Alice,
        DropCause::Header,
        frame::fragment(local(Instance, Alice), UDP, 0, true, &parts[..16]),
    );
    t.attack(
        "a fragment goes to a link-local address",
        Alice,
        Bob,
        DropCause::Header,
        frame::fragment(local(Alice, Bob), UDP, 1, false, &mark),
    );
    t.attack(
        "a protocol that nobody uses",
        Alice,
        Bob,
        DropCause::Header,
        frame::ipv6(ends_of, 200, 64, &mark),
    );
}

fn pairs(t: &mut Table) {
    use Who::{Alice, Bob, Instance, Other, Router, Stranger};
    let pair = DropCause::Pair;
    let mark = MARK;
    t.attack(
        "a client connects to another's instance",
        Alice,
        Other,
        pair,
        frame::tcp(ends(Alice, Other), (4000, 80), 2, &mark),
    );
    t.attack(
        "a client reaches another's instance by link-local addresses",
        Alice,
        Other,
        pair,
        frame::udp(local(Alice, Other), (4001, 80), &mark),
    );
    t.attack(
        "a client sends from its delegated prefix to another's instance",
        Alice,
        Other,
        pair,
        frame::udp(as_from(ends(Alice, Other), address("fd40:a::1")), (4002, 80), &mark),
    );
    t.attack(
        "an instance connects to another client",
        Instance,
        Bob,
        pair,
        frame::tcp(ends(Instance, Bob), (4003, 22), 2, &mark),
    );
    t.attack(
        "an instance connects from its open port",
        Instance,
        Bob,
        pair,
        frame::tcp(ends(Instance, Bob), (443, 22), 2, &mark),
    );
    t.attack(
        "an instance connects to another instance",
        Instance,
        Other,
        pair,
        frame::tcp(ends(Instance, Other), (4004, 80), 2, &mark),
    );
    t.attack(
        "an instance reaches another by link-local addresses",
        Other,
        Instance,
        pair,
        frame::udp(local(Other, Instance), (4005, 80), &mark),
    );
    t.attack(
        "a client connects to a closed port of an open instance",
        Bob,
        Instance,
        pair,
        frame::tcp(ends(Bob, Instance), (4006, 22), 2, &mark),
    );
    t.attack(
        "a router's port connects to an instance",
        Router,
        Other,
        pair,
        frame::tcp(ends(Router, Other), (4007, 80), 2, &mark),
    );
    t.attack(
        "a machine that nobody knows connects to an instance",
        Stranger,
        Other,
        DropCause::Source,
        frame::tcp(ends(Stranger, Other), (4008, 80), 2, &mark),
    );
}

fn through_the_host(t: &mut Table) {
    use Who::{Alice, Bob, Far, Host, Instance, Other, World};
    let mark = MARK;
    t.attack(
        "an instance reaches one of another link",
        Instance,
        Far,
        DropCause::Pair,
        frame::udp(routed(Instance, Far), (5000, 80), &mark),
    );
    t.attack(
        "a client reaches another's instance of another link",
        Bob,
        Far,
        DropCause::Pair,
        frame::udp(routed(Bob, Far), (5001, 80), &mark),
    );
    t.attack(
        "a client reaches a neighbour's instance by way of the host",
        Alice,
        Other,
        DropCause::Pair,
        frame::udp(routed(Alice, Other), (5002, 80), &mark),
    );
    t.attack(
        "an instance without egress reaches the world",
        Other,
        World,
        DropCause::Egress,
        frame::udp(routed(Other, World), (5003, 443), &mark),
    );
    t.attack(
        "an instance reaches another port of the world",
        Instance,
        World,
        DropCause::Egress,
        frame::udp(routed(Instance, World), (5004, 25), &mark),
    );
    t.attack(
        "the world connects to an instance",
        World,
        Other,
        DropCause::Egress,
        frame::udp(
            Ends {
                to_mac: [2, 0, 0, 0, 0, 3],
                ..ends(World, Other)
            },
            (5005, 80),
            &mark,
        ),
    );
    t.attack(
        "the world has a client's address",
        World,
        Instance,
        DropCause::Egress,
        frame::udp(
            Ends {
                to_mac: [2, 0, 0, 0, 0, 3],
                from: Alice.address(),
                ..ends(World, Instance)
            },
            (5006, 80),
            &mark,
        ),
    );
    t.attack(
        "an instance reaches a closed socket of the host",
        Instance,
        Host,
        DropCause::Host,
        frame::udp(routed(Instance, Host), (5007, 9999), &mark),
    );
    let link = Ends {
        from: Instance.link_local(),
        ..routed(Instance, Host)
    };
    t.attack(
        "an instance reaches the host from its link-local address",
        Instance,
        Host,
        DropCause::Host,
        frame::udp(link, (5008, 9999), &mark),
    );
}

fn honest(t: &mut Table) {
    use Who::{Alice, Bob, Bridge, Far, Host, Instance, Relay, Router, Stranger, World};
    let mark = MARK;
    let bytes = &mark[..];
    t.honest(
        "a client connects to its instance",
        Alice,
        Instance,
        frame::tcp(ends(Alice, Instance), (6000, 22), 2, bytes),
    );
    t.honest(
        "its instance answers",
        Instance,
        Alice,
        frame::tcp(ends(Instance, Alice), (22, 6000), 18, bytes),
    );
    t.honest(
        "a client reaches its instance by link-local addresses",
        Alice,
        Instance,
        frame::udp(local(Alice, Instance), (6001, 9), bytes),
    );
    t.honest(
        "an instance connects to its client",
        Instance,
        Alice,
        frame::tcp(ends(Instance, Alice), (6002, 22), 2, bytes),
    );
    t.honest(
        "a client sends from its delegated prefix",
        Alice,
        Instance,
        frame::udp(as_from(ends(Alice, Instance), address("fd40:a::1")), (6003, 9), bytes),
    );
    t.honest(
        "a client asks for its instance",
        Alice,
        Instance,
        frame::solicit(
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
        frame::advert(local(Instance, Alice), Instance.address(), Some(Instance.mac())),
    );
    t.honest(
        "an instance asks for its client",
        Instance,
        Alice,
        frame::solicit(
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
        "an instance checks whether its client is there",
        Instance,
        Alice,
        frame::solicit(local(Instance, Alice), Alice.link_local(), Some(Instance.mac())),
    );
    t.honest(
        "a client speaks with another",
        Alice,
        Bob,
        frame::udp(ends(Alice, Bob), (6004, 9), bytes),
    );
    t.honest(
        "another client connects to the open port",
        Bob,
        Instance,
        frame::tcp(ends(Bob, Instance), (6005, 443), 2, bytes),
    );
    t.honest(
        "the open port answers",
        Instance,
        Bob,
        frame::tcp(ends(Instance, Bob), (443, 6005), 18, bytes),
    );
    t.honest(
        "a new machine asks for a lease",
        Stranger,
        Bridge,
        frame::udp(group(Stranger, SERVERS), (546, 547), b"\x01solicit of a new machine"),
    );
    t.honest(
        "a new machine looks for a router",
        Stranger,
        Bridge,
        frame::icmp(
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
        frame::solicit(nameless, address("fd39::77"), None),
    );
    t.honest(
        "a new machine answers the host",
        Stranger,
        Bridge,
        frame::advert(local(Stranger, Bridge), Stranger.link_local(), Some(Stranger.mac())),
    );
    let report = [&[0, 0, 0, 1, 4, 0, 0, 0][..], &address("ff02::1:ff00:77").octets()].concat();
    t.honest(
        "a new machine reports its groups",
        Stranger,
        Bridge,
        frame::icmp(group(Stranger, "ff02::16"), 143, 1, &report),
    );
    t.honest(
        "a machine registers an address that it formed",
        Stranger,
        Bridge,
        frame::udp(
            as_from(group(Stranger, SERVERS), address("fd39::78")),
            (546, 547),
            b"\x24registration",
        ),
    );
    t.honest(
        "a router advertises itself",
        Router,
        Bob,
        frame::icmp(
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
        frame::udp(as_from(ends(Router, Bob), address("2001:db8::9")), (6007, 9), bytes),
    );
    t.honest(
        "a relay agent relays",
        Relay,
        Bridge,
        frame::udp(group(Relay, SERVERS), (547, 547), b"\x0crelay-forward of a relay agent"),
    );
    t.honest(
        "a client reaches its instance of another link",
        Alice,
        Far,
        frame::udp(routed(Alice, Far), (6008, 9), bytes),
    );
    t.honest(
        "that instance answers",
        Far,
        Alice,
        frame::udp(routed(Far, Alice), (9, 6008), bytes),
    );
    t.honest(
        "an instance reaches what its template allows",
        Instance,
        World,
        frame::udp(routed(Instance, World), (6009, 443), bytes),
    );
    t.honest(
        "the world answers",
        World,
        Instance,
        frame::udp(
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
        frame::udp(routed(Instance, Host), (6010, 53), bytes),
    );
    t.honest(
        "a client reaches the host",
        Alice,
        Host,
        frame::udp(routed(Alice, Host), (6011, 9999), bytes),
    );
    t.honest(
        "an instance pings the host",
        Instance,
        Bridge,
        frame::echo(routed(Instance, Bridge), bytes),
    );
    let moved = as_mac(group(Bob, SERVERS), Bob.mac());
    t.honest(
        "a client that moved renews its lease",
        Alice,
        Bridge,
        frame::udp(moved, (546, 547), b"\x05renew of one that moved"),
    );
}
