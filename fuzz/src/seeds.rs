//! What the corpora begin with: what real clients, relays and routers send, and sequences that go all the ways of a lease.

use std::net::Ipv6Addr;

use orchestrator_wire as wire;

use crate::world;

type Seeds = Vec<(&'static str, Vec<u8>)>;

/// Datagrams of clients.
pub(crate) fn frame() -> Seeds {
    messages()
}

/// The same through relays: as bytes, and as scripts.
pub(crate) fn relay() -> Seeds {
    let solicit = messages().remove(0).1;
    let one = relayed(&[18], world::on_link(9), &solicit);
    let switch = relayed(&[18, 79], Ipv6Addr::UNSPECIFIED, &solicit);
    let link_local = relayed(&[18], Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 8), &solicit);
    let two = relayed(&[18, 37, 79, 135], Ipv6Addr::UNSPECIFIED, &one);
    let nine = (0..9).fold(solicit.clone(), |inside, _| relayed(&[18], world::on_link(9), &inside));
    let asking = wire::message(
        wire::INFORMATION_REQUEST,
        [0, 0, 7],
        &[wire::option(wire::OPTION_REQUEST, &[0, 65])],
    );
    let supplied = relayed(&[66], world::on_link(9), &asking);
    let raw = |datagram: &[u8]| [&[0], datagram].concat();
    // Layers: hops, link, peer, how many options, and these; bit 7 puts an option behind the message.
    let plain = [0, 1, 5, 1, 0, 4, b'p', b'o', b'r', b't'];
    let full = [
        &[
            1, 0, 5, 5, 0, 1, b'x', 1, 0x12, 0x67, 2, 8, 0, 1, 2, 0, 0x5e, 0x10, 0, 1,
        ][..],
        &[3, 2, b'i', b'd', 0x80 | 5, 66, 1, 0],
    ];
    let other = [[3, 3].as_slice(), &world::on_link(77).octets(), &[5, 0]].concat();
    let script = |layers: &[&[u8]]| {
        let count = u8::try_from(layers.len()).unwrap_or(u8::MAX);
        [&[1, count][..], &layers.concat(), &solicit].concat()
    };
    vec![
        ("direct", raw(&solicit)),
        ("one", raw(&one)),
        ("switch", raw(&switch)),
        ("link-local", raw(&link_local)),
        ("supplied", raw(&supplied)),
        ("two", raw(&two)),
        ("nine", raw(&nine)),
        ("script-one", script(&[&plain])),
        ("script-full", script(&[&full.concat()])),
        ("script-three", script(&[&plain, &full.concat(), &other])),
        ("script-nine", script(&[&plain[..]; 9])),
        ("script-ten", script(&[&plain[..]; 10])),
    ]
}

/// Sequences: the settings, then the steps of `server/step.rs`.
pub(crate) fn server() -> Seeds {
    // First bytes: what happens, and to whom.
    let [
        solicit,
        request,
        confirm,
        renew,
        rebind,
        release,
        decline,
        inform,
        register,
    ] = [0, 1, 3, 4, 6, 7, 8, 9, 10].map(|what| move |client: u8| client << 4 | what);
    // Options: one association without a wish, with the last that was told of; the same of prefixes.
    let (any, last) = (&[0, 1][..], &[0, 1 | 1 << 3, 96][..]);
    let (any_prefix, last_prefix) = (&[2, 1][..], &[2, 1 | 1 << 3, 96][..]);
    let say = |first: u8, flags: u8, options: &[&[u8]]| {
        let count = u8::try_from(options.len()).unwrap_or(u8::MAX);
        [&[first, flags, count][..], &options.concat()].concat()
    };
    let hours = |number: u8| number << 5;
    let lease = |client| [say(solicit(client), 0, &[any]), say(request(client), 0, &[last])].concat();
    let delegate = |client| {
        let hint = &[2, 1 | 1 << 3, 220, 62][..];
        [
            say(solicit(client), 0, &[hint]),
            say(request(client), 0, &[last_prefix]),
        ]
        .concat()
    };
    let crowd = |settings: u8| {
        let all = (0..8).map(|client| say(solicit(client), 4, &[any, &[0, 2], any_prefix]));
        [vec![settings], all.collect::<Vec<_>>().concat()].concat()
    };
    let begin = |settings: u8, steps: &[Vec<u8>]| [vec![settings], steps.concat()].concat();
    let registering = |client| [vec![register(client), 0, 200 + client, 100], vec![0]].concat();
    // A vendor class beginning with "a"; the same client without it, which must let go of what is the class's.
    let class = &[6, 16, 7, 0, 0, 1, 0x37, 0, 1, b'a'][..];
    let classy = [
        say(solicit(5), 4, &[any, any_prefix, class]),
        say(renew(5), hours(5), &[last, class]),
        say(renew(5), 0, &[last]),
        say(solicit(6), 4, &[&[0, 1 | 1 << 3, 96], &[2, 1 | 1 << 3, 97]]),
    ];
    // Clients for whom something is kept, by each of what they may be known by, and one who wants what is theirs.
    let known: Vec<Vec<u8>> = [0, 1, 2, 3, 4]
        .map(|client| {
            say(
                solicit(client),
                if client < 2 { 4 } else { 6 },
                &[&[0, 1 | 1 << 3, 5], &[2, 1 | 1 << 3, 5, 6]],
            )
        })
        .to_vec();
    let oro = &[4, 4, 23, 24, 82, 32][..];
    let raw = |datagram: &[u8]| {
        let length = u16::try_from(datagram.len()).unwrap_or(u16::MAX);
        [&[11, 0][..], &length.to_be_bytes(), datagram].concat()
    };
    vec![
        (
            "lease",
            begin(
                0,
                &[lease(0), say(renew(0), hours(5), &[last]), say(release(0), 0, &[last])],
            ),
        ),
        (
            "expiry",
            begin(2, &[lease(0), lease(1), say(rebind(0), hours(6), &[last]), lease(1)]),
        ),
        (
            "decline",
            begin(
                4,
                &[
                    lease(0),
                    say(decline(0), 0, &[last]),
                    lease(0),
                    say(decline(0), 0, &[last]),
                ],
            ),
        ),
        (
            "confirm",
            begin(
                8,
                &[lease(2), say(confirm(2), hours(3), &[last, &[0, 2 | 1 << 3, 220]])],
            ),
        ),
        (
            "prefix",
            begin(12, &[delegate(0), delegate(1), say(renew(1), hours(5), &[last_prefix])]),
        ),
        (
            "lengths",
            begin(
                1,
                &[delegate(0), vec![0x1e, 0], delegate(1), vec![0x2e, 0], delegate(0)],
            ),
        ),
        (
            "options",
            begin(
                48,
                &[
                    say(inform(3), 16, &[oro]),
                    say(solicit(3), 16, &[any, oro, &[5, 5, 0, 3, b'b', b'o', b'x']]),
                ],
            ),
        ),
        (
            "relayed",
            begin(
                0,
                &[
                    say(solicit(1), 2, &[any]),
                    say(request(1), 3, &[last]),
                    say(renew(1), 2, &[last]),
                ],
            ),
        ),
        (
            "register",
            begin(
                0,
                &[
                    registering(1),
                    registering(2),
                    registering(1),
                    say(inform(1), 0, &[oro]),
                ],
            ),
        ),
        ("crowd", crowd(1)),
        ("crowd-limited", crowd(1 | 2 | 64)),
        ("crowd-reserved", crowd(1 | 4)),
        ("class", begin(1, &classy)),
        ("kept", begin(1 | 128, &known)),
        (
            // The same client's other interface asks, also for what is kept; then the first one under another IAID.
            "two-interfaces",
            begin(
                1 | 128,
                &[
                    say(solicit(0), 4, &[&[0, 1], &[2, 1]]),
                    say(solicit(0), 4 | 1, &[&[0, 2 | 1 << 3, 96], &[2, 2]]),
                    say(renew(0), 1, &[&[0, 3 | 1 << 3, 200]]),
                    vec![12, 0],
                    say(request(0), 0, &[&[0, 4]]),
                    say(renew(0), 0, &[&[0, 1]]),
                    say(request(0), 0, &[&[0, 5]]),
                ],
            ),
        ),
        (
            "kept-later",
            begin(1, &[lease(1), lease(0), vec![0x4e, 0], known.concat(), vec![0x0e, 0]]),
        ),
        (
            "restart",
            begin(
                0,
                &[
                    lease(0),
                    vec![12, 0],
                    say(renew(0), hours(5), &[last]),
                    vec![0x0d, 0],
                    vec![0x0f, 0],
                ],
            ),
        ),
        (
            "lost",
            begin(
                0,
                &[
                    say(request(0) | 128, 0, &[any]),
                    lease(1),
                    say(release(1) | 128, 0, &[last]),
                    lease(0),
                ],
            ),
        ),
        (
            "unicast",
            begin(
                12,
                &[
                    lease(0),
                    say(renew(0), 5, &[last]),
                    say(renew(1), 5, &[last]),
                    say(release(0), 5, &[last]),
                    say(confirm(0), 0, &[last]),
                ],
            ),
        ),
        (
            "forged",
            begin(
                1,
                &[
                    lease(0),
                    say(rebind(1), 0, &[last, any]),
                    say(release(1), 0, &[last]),
                    raw(&messages()[2].1),
                ],
            ),
        ),
    ]
}

/// Solicitations and advertisements: who sends and when, then the message.
pub(crate) fn advert() -> Seeds {
    let solicit = [133, 0, 0, 0, 0, 0, 0, 0];
    let link_layer = [1, 1, 2, 0, 0x5e, 0x10, 0, 1];
    let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
    let network = world::on_link(0).octets();
    let prefix = [
        &[3, 4, 64, 0xc0, 0, 0, 0x1c, 0x20, 0, 0, 0x0e, 0x10, 0, 0, 0, 0][..],
        &network,
    ]
    .concat();
    let advertise = [134, 0, 0, 0, 64, 0x80, 7, 8, 0, 0, 0x75, 0x30, 0, 0, 3, 0xe8];
    let mtu = [5, 1, 0, 0, 0, 0, 5, 0xdc];
    let from = |way: u8, pause: u8, parts: &[&[u8]]| [&[way, pause][..], &parts.concat()].concat();
    vec![
        ("solicit", from(2, 10, &[&solicit])),
        ("solicit-link-layer", from(0x12, 0, &[&solicit, &link_layer, &nonce])),
        ("solicit-unspecified", from(0, 50, &[&solicit, &nonce])),
        ("solicit-unspecified-link-layer", from(0, 50, &[&solicit, &link_layer])),
        ("solicit-far", from(6, 64, &[&solicit, &link_layer])),
        ("advertise", from(2, 0, &[&advertise, &link_layer, &mtu, &prefix])),
        ("advertise-plain", from(0x22, 0, &[&advertise])),
    ]
}

/// Settings, then steps: what passes, and what servers answer, as `client.rs` reads them.
pub(crate) fn client() -> Seeds {
    // The first byte of a step: what it is, and in the upper half which or of which server.
    let pass = |index: u8| vec![index << 4];
    // An address with so many seconds of T1, T2, preferred and valid lifetime; a prefix likewise.
    let address = |times: [u8; 4], number: u8| [&[0, 1][..], &times[..2], &times[2..], &[number]].concat();
    let prefix = |times: [u8; 4], number: u8| [&[3, 1][..], &times[..2], &times[2..], &[number, 62]].concat();
    let answer = |what: u8, options: &[Vec<u8>]| {
        let count = u8::try_from(options.len()).unwrap_or(u8::MAX);
        [&[8 | what << 4, count][..], &options.concat()].concat()
    };
    let (advertise, reply) = (0, 1);
    let (short, long) = ([50, 80, 100, 120], [131, 134, 133, 140]);
    let begin = |settings: u8, steps: &[Vec<u8>]| [vec![settings], steps.concat()].concat();
    let lease = |times: [u8; 4]| {
        let offer = answer(advertise, &[address(times, 9), vec![6, 255]]);
        [pass(3), offer, pass(0), answer(reply, &[address(times, 9)])].concat()
    };
    let status = |code: u8| vec![5, code, 2, b'n', b'o'];
    let renewed = answer(reply, &[address(short, 9), address([50, 80, 0, 0], 8)]);
    vec![
        (
            "lease",
            begin(1, &[lease(short), pass(5), renewed, pass(6), vec![0xf7]]),
        ),
        (
            "rapid",
            begin(
                5,
                &[pass(3), answer(reply, &[address(long, 9), vec![4]]), pass(6), pass(7)],
            ),
        ),
        ("expiry", begin(1, &[lease(short), pass(5), pass(5), lease(long)])),
        (
            "decline",
            begin(
                1,
                &[
                    lease(long),
                    vec![6],
                    pass(3),
                    answer(reply, &[status(0)]),
                    pass(4),
                    lease(long),
                ],
            ),
        ),
        (
            "confirm",
            begin(
                1,
                &[lease(long), vec![5], pass(3), answer(reply, &[status(4)]), pass(4)],
            ),
        ),
        (
            "prefix",
            begin(
                3,
                &[
                    pass(3),
                    answer(advertise, &[address(long, 9), prefix(long, 4)]),
                    pass(3),
                    answer(reply, &[address(long, 9), prefix(short, 4)]),
                    pass(6),
                    vec![5],
                    pass(4),
                ],
            ),
        ),
        (
            "refused",
            begin(
                1,
                &[
                    pass(3),
                    answer(advertise, &[status(2)]),
                    answer(advertise, &[address(long, 9)]),
                    pass(3),
                    answer(reply, &[status(2)]),
                    pass(5),
                ],
            ),
        ),
        (
            "inform",
            begin(
                0,
                &[
                    pass(3),
                    answer(reply, &[vec![7, 23, 16], vec![0x20; 16]]),
                    pass(7),
                    pass(7),
                ],
            ),
        ),
    ]
}

/// A message of each kind, with what clients put into them.
fn messages() -> Seeds {
    let address = world::on_link(0x1_0007);
    let subnet = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0);
    let client = wire::client_id(&wire::duid(1));
    let server = wire::server_id(&[0, 2, 0, 0, 0xab, 0x11, 0xaa, 0xbb]);
    let asked = wire::option_request(&[23, 24, 32, 56, 59, 82, 83, 103, 148]);
    let elapsed = wire::option(wire::ELAPSED_TIME, &[0, 100]);
    let name = wire::option(wire::FQDN, b"\x01\x05phone\x03lan\x00");
    let class = wire::option(wire::VENDOR_CLASS, &[0, 0, 1, 0x37, 0, 4, b'M', b'S', b'F', b'T']);
    let user = wire::option(15, &[0, 4, b'i', b'P', b'X', b'E']);
    let short = wire::option(17, &[0; 3]);
    let none = wire::association(wire::IA_NA, 7, &[]);
    let some = wire::association(wire::IA_NA, 7, &[wire::ia_address(address, 3600, 7200)]);
    let prefix = wire::association(wire::IA_PD, 7, &[wire::ia_prefix(subnet, 62, 0, 0)]);
    let length = wire::association(wire::IA_PD, 8, &[wire::ia_prefix(Ipv6Addr::UNSPECIFIED, 60, 0, 0)]);
    let temporary = wire::ia_ta(9);
    let status = wire::association(wire::IA_NA, 9, &[wire::option(wire::STATUS, b"\x00\x00fine")]);
    let [rapid, reconfigurable] = [wire::RAPID_COMMIT, wire::RECONFIGURE_ACCEPT].map(|code| wire::option(code, &[]));
    let say = |kind, parts: &[&[u8]]| {
        wire::message(
            kind,
            [1, 2, 3],
            &parts.iter().map(|part| part.to_vec()).collect::<Vec<_>>(),
        )
    };
    let registered = wire::ia_address(world::link_local(1), 600, 1200);
    vec![
        (
            "solicit",
            say(wire::SOLICIT, &[&client, &asked, &elapsed, &name, &none]),
        ),
        (
            "solicit-rapid",
            say(
                wire::SOLICIT,
                &[&client, &rapid, &reconfigurable, &none, &length, &class, &user],
            ),
        ),
        (
            "request",
            say(wire::REQUEST, &[&client, &server, &asked, &some, &prefix, &temporary]),
        ),
        ("confirm", say(wire::CONFIRM, &[&client, &elapsed, &some])),
        ("renew", say(wire::RENEW, &[&client, &server, &some, &prefix, &asked])),
        ("rebind", say(wire::REBIND, &[&client, &some, &status, &prefix])),
        ("release", say(wire::RELEASE, &[&client, &server, &some, &prefix])),
        ("decline", say(wire::DECLINE, &[&client, &server, &some])),
        ("inform", say(wire::INFORMATION_REQUEST, &[&asked, &elapsed])),
        (
            "inform-known",
            say(wire::INFORMATION_REQUEST, &[&client, &reconfigurable, &asked]),
        ),
        ("register", say(wire::ADDR_REG_INFORM, &[&client, &registered])),
        ("reply", say(wire::REPLY, &[&client, &server, &some])),
        ("padded", say(wire::SOLICIT, &[&client, &none, &[0; 3]])),
        ("renew-doubled", say(wire::RENEW, &[&client, &server, &none, &some])),
        ("unread", say(wire::SOLICIT, &[&client, &none, &short, &user, &user])),
    ]
}

/// A relay's message around another, with these of the options that relays add.
fn relayed(options: &[u16], link: Ipv6Addr, inside: &[u8]) -> Vec<u8> {
    let added = options.iter().map(|code| match *code {
        wire::LINK_LAYER_ADDRESS => wire::option(wire::LINK_LAYER_ADDRESS, &[0, 1, 2, 0, 0x5e, 0x10, 0, 1]),
        wire::RELAY_SOURCE_PORT => wire::option(wire::RELAY_SOURCE_PORT, &[0x12, 0x67]),
        wire::REMOTE_ID => wire::option(wire::REMOTE_ID, b"\x00\x00\x00\x09switch-7"),
        wire::RELAY_SUPPLIED => wire::option(
            wire::RELAY_SUPPLIED,
            &wire::option(wire::ERP_LOCAL_DOMAIN_NAME, b"\x03erp\x00"),
        ),
        code => wire::option(code, b"eth7"),
    });
    let added: Vec<Vec<u8>> = added.collect();
    wire::relay_forw(0, link, world::link_local(1), &added, inside)
}

/// Queries by UDP and TCP, and names that clients claim.
pub(crate) fn names() -> Seeds {
    let by = |how: u8, bytes: &[u8]| [&[how], bytes].concat();
    let service = ["web", "service", "home", "arpa"];
    let port = ["_http", "_tcp", "web", "service", "consul"];
    let address: Vec<String> = format!("{:0>32}", "7")
        .chars()
        .rev()
        .map(|digit| digit.to_string())
        .collect();
    let reverse: Vec<&str> = address.iter().map(String::as_str).chain(["ip6", "arpa"]).collect();
    let mut loops = crate::names::query(&service, 28, false);
    loops.splice(12..14, [0xc0, 12]);
    vec![
        ("addresses", by(0, &crate::names::query(&service, 28, false))),
        ("addresses-edns", by(0, &crate::names::query(&service, 28, true))),
        ("addresses-tcp", by(1, &crate::names::query(&service, 28, true))),
        ("no-addresses", by(0, &crate::names::query(&service, 1, true))),
        ("ports", by(0, &crate::names::query(&port, 33, true))),
        ("pointer", by(0, &crate::names::query(&reverse, 12, false))),
        ("authority", by(0, &crate::names::query(&["home", "arpa"], 6, false))),
        ("transfer", by(1, &crate::names::query(&["home", "arpa"], 252, false))),
        ("elsewhere", by(0, &crate::names::query(&["example", "org"], 28, true))),
        ("loop", by(0, &loops)),
        ("claim", by(2, b"Laptop.example.org")),
        ("claim-id", by(2, b"000000000001")),
        ("claim-none", by(2, b"-a\xff.")),
    ]
}
