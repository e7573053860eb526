//! What a client tries on its own machine.

use super::root::{mac_text, packets};
use super::{Table, tcp, udp, udp_as};
use crate::attack::case::{Act, Through, mark};
use crate::attack::stage::Who;
use orchestrator_wire::packet::{self, Ends};

pub(super) fn ways(t: &mut Table<'_>) {
    to_instances(t);
    sources(t);
    frames(t);
    changes(t);
}

fn to_instances(t: &mut Table<'_>) {
    use Who::{Alice, Bob, Hers, His, Mallory};
    let (hers, pair) = (t.address(Hers), Some("pair"));
    t.add(
        "connect to another's instance",
        Mallory,
        tcp(hers, 80),
        Through::Connected,
        pair,
    );
    t.add(
        "a datagram to another's instance",
        Mallory,
        udp(hers, 9),
        Through::At(Hers),
        pair,
    );
    t.add(
        "ping another's instance",
        Mallory,
        Act::Ping(hers.to_string()),
        Through::At(Hers),
        pair,
    );
    let local = format!("{}%eth0", t.link_local(Hers));
    t.add(
        "reach it by its link-local address",
        Mallory,
        udp(local, 9),
        Through::At(Hers),
        pair,
    );
    let large = Act::Udp {
        to: hers.to_string(),
        port: 9,
        from: None,
        from_port: None,
        size: 4000,
    };
    t.add(
        "a large datagram to another's instance",
        Mallory,
        large,
        Through::At(Hers),
        pair,
    );
    if t.stage.has(Bob) {
        t.add(
            "connect to an instance of another link",
            Mallory,
            tcp(t.address(His), 80),
            Through::Connected,
            pair,
        );
    }
    if t.stage.shape.lines.contains("isolate_clients") {
        let to = t.address(Alice);
        t.add(
            "a datagram to another client",
            Mallory,
            udp(to, 9),
            Through::At(Alice),
            Some("clients"),
        );
    }
}

fn sources(t: &mut Table<'_>) {
    use Who::{Alice, Hers, Host, Mallory, User};
    let (host, source) = (t.address(Host), Some("source"));
    for (name, whose) in [
        ("another client", Alice),
        ("another's instance", Hers),
        ("its own instance", User),
    ] {
        let act = udp_as(t.address(whose), host, 53);
        t.add(
            &format!("speak with the host as {name}"),
            Mallory,
            act,
            Through::Service,
            source,
        );
    }
    let act = udp_as(host, t.address(Alice), 9);
    t.add(
        "speak with another client as the host",
        Mallory,
        act,
        Through::At(Alice),
        source,
    );
}

fn frames(t: &mut Table<'_>) {
    use Who::{Alice, Hers, Host, Mallory, User};
    let neighbor = Some("neighbor");
    for (name, whose, to) in [
        ("another client's address to the host", Alice, Host),
        ("the router's address to another client", Host, Alice),
        ("another's instance to its client", Hers, Alice),
    ] {
        let advert = packet::advert(t.local(Mallory, to), t.address(whose), Some(t.mac(Mallory)));
        t.add(
            &format!("advertise {name}"),
            Mallory,
            Act::Frame(advert),
            Through::At(to),
            neighbor,
        );
    }
    for (name, frame, cause) in packets(t, Mallory, Alice) {
        t.add(name, Mallory, Act::Frame(frame), Through::At(Alice), Some(cause));
    }
    for (name, kind) in [("ARP", 0x0806), ("IPv4", 0x0800)] {
        let ends = Ends {
            to_mac: [0xff; 6],
            ..t.ends(Mallory, Alice)
        };
        let frame = packet::ethernet(ends, kind, &[&[1; 28][..], &mark(900_008)].concat());
        let through = Through::At(Alice);
        t.add(
            &format!("a frame of {name}"),
            Mallory,
            Act::Frame(frame),
            through,
            Some("ethernet"),
        );
    }
    let relayed = [&[12, 0][..], &mark(900_009)].concat();
    let relayed = packet::udp(t.group(Mallory, "ff02::1:2"), (546, 547), &relayed);
    t.add(
        "be a relay agent",
        Mallory,
        Act::Frame(relayed),
        Through::At(Host),
        Some("relay"),
    );
    // What clients ask of servers goes to a group, and a bridge floods it. No instance is to answer, nor to see who asks.
    for (number, instance) in [(900_011, Hers), (900_012, User)] {
        let solicit = [&[1, 0, 0, 1][..], &mark(number)].concat();
        let solicit = packet::udp(t.group(Mallory, "ff02::1:2"), (546, 547), &solicit);
        t.add(
            &format!("a Solicit that {instance:?} hears"),
            Mallory,
            Act::Frame(solicit),
            Through::At(instance),
            None,
        );
    }
    if t.stage.shape.lines.contains("bind_ports") {
        let ends = t.ends(Alice, Host);
        let frame = packet::udp(ends, (9000, 53), &mark(900_010));
        t.add(
            "both addresses of another client",
            Mallory,
            Act::Frame(frame),
            Through::Service,
            Some("place"),
        );
    }
}

fn changes(t: &mut Table<'_>) {
    use Who::{Hers, Host, Mallory};
    let (host, mac) = (t.address(Host), mac_text(t.mac(Mallory)));
    let case = t.add(
        "change its link-layer address",
        Mallory,
        udp(host, 53),
        Through::Service,
        Some("neighbor|source"),
    );
    case.before = vec!["link set dev eth0 address 02:00:00:00:00:78".to_owned()];
    case.after = vec![format!("link set dev eth0 address {mac}")];
    let taken = t.address(Hers);
    let act = udp_as(taken, host, 53);
    let case = t.add(
        "take the address of another's instance",
        Mallory,
        act,
        Through::Service,
        Some("source"),
    );
    case.before = vec![format!("-6 address add {taken}/128 dev eth0 nodad")];
    case.after = vec![format!("-6 address delete {taken}/128 dev eth0")];
}
