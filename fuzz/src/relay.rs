//! Messages that come through relays: as bytes, or as a script that nests them with their lengths right.

use std::net::Ipv6Addr;
use std::sync::OnceLock;

use orchestrator_dhcp6::{Answer, Inbound, MAX_DATAGRAM, MAX_RELAYS};
use orchestrator_wire as wire;

use crate::answer;
use crate::frame;
use crate::script::Script;
use crate::world::{self, World};

/// Where the relay next to the server is.
const SOURCE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9);

/// The first byte says whether the rest is a datagram or a script.
pub fn run(input: &[u8]) {
    let Some((way, rest)) = input.split_first() else {
        return;
    };
    if way & 1 == 0 {
        give(rest);
    } else if let Some(datagram) = nest(rest) {
        give(&datagram);
    }
}

/// Puts the layers that a script says, from the inside out, around the message that stands behind them.
fn nest(script: &[u8]) -> Option<Vec<u8>> {
    let mut script = Script::new(script);
    let count = script.choice(MAX_RELAYS + 3)?;
    let layers: Vec<(Vec<u8>, Vec<u8>)> = (0..count).map_while(|_| layer(&mut script)).collect();
    let message = script.rest().to_vec();
    Some(layers.into_iter().fold(message, |inside, (before, after)| {
        [before, wire::clipped_option(wire::RELAY_MESSAGE, &inside), after].concat()
    }))
}

/// One relay's layer: what stands before the message inside, and what behind it.
fn layer(script: &mut Script<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let (hops, link) = (script.byte()?, script.choice(4)?);
    let link = match link {
        0 => Ipv6Addr::UNSPECIFIED,
        1 => world::on_link(9),
        2 => Ipv6Addr::new(0x2001, 0xdb8, 0, 9, 0, 0, 0, 1),
        _ => padded(script.bytes(16)),
    };
    let peer = world::link_local(script.byte()?);
    let mut sides = [wire::relay_layer(hops, link, peer, &[]), Vec::new()];
    for _ in 0..script.choice(6)? {
        let what = script.byte()?;
        let option = match what & 7 {
            0 => wire::option(wire::INTERFACE_ID, script.short()?),
            1 => wire::option(wire::RELAY_SOURCE_PORT, script.bytes(2)),
            2 => wire::option(wire::LINK_LAYER_ADDRESS, script.short()?),
            3 => wire::option(wire::REMOTE_ID, script.short()?),
            4 => wire::option(wire::RELAY_MESSAGE, script.short()?),
            5 => wire::option(
                wire::RELAY_SUPPLIED,
                &wire::option(script.byte()?.into(), script.short()?),
            ),
            _ => wire::option(script.byte()?.into(), script.short()?),
        };
        sides[usize::from(what >> 7)].extend(option);
    }
    let [before, after] = sides;
    Some((before, after))
}

fn padded(bytes: &[u8]) -> Ipv6Addr {
    let mut octets = [0; 16];
    octets[..bytes.len()].copy_from_slice(bytes);
    octets.into()
}

fn give(datagram: &[u8]) {
    static WORLD: OnceLock<World> = OnceLock::new();
    let world = WORLD.get_or_init(frame::inhabited);
    let inbound = Inbound {
        datagram,
        source: std::net::SocketAddrV6::new(SOURCE, 4711, 0, 7),
        multicast: false,
    };
    let link = inbound.link_address();
    let Ok(answer) = world.ask(&inbound) else {
        return;
    };
    let link = link.expect("what is answered has been peeled");
    assert!(
        link.is_none_or(|link| world.link.is_on_link(link)),
        "it is of another link"
    );
    check_way_back(world, datagram, &answer);
}

/// Each layer is answered by one of its own, and the message inside by what answers it.
fn check_way_back(world: &World, asked: &[u8], answer: &Answer) {
    assert!(asked.len() <= MAX_DATAGRAM);
    let (mut asked, mut told, mut layers) = (asked, &answer.datagram[..], 0);
    let mut supplied = None;
    let port = match outermost_wants_its_port(asked) {
        true => 4711,
        false => 547,
    };
    assert_eq!((*answer.destination.ip(), answer.destination.port()), (SOURCE, port));
    while asked[0] == wire::RELAY_FORW {
        assert_eq!(told[0], wire::RELAY_REPL);
        assert_eq!(
            asked[1..wire::RELAY_HEAD],
            told[1..wire::RELAY_HEAD],
            "hop count, link and peer are others"
        );
        let (before, after) = (
            wire::options(&asked[wire::RELAY_HEAD..]),
            wire::options(&told[wire::RELAY_HEAD..]),
        );
        for echoed in [wire::INTERFACE_ID, wire::RELAY_SOURCE_PORT] {
            assert_eq!(wire::only(&before, echoed), wire::only(&after, echoed));
        }
        assert!(
            after.iter().all(|option| {
                [wire::INTERFACE_ID, wire::RELAY_SOURCE_PORT, wire::RELAY_MESSAGE].contains(&option.0)
            })
        );
        // Of the innermost that supplies any.
        supplied = supplies(&before).or(supplied);
        asked = wire::only(&before, wire::RELAY_MESSAGE).expect("a message inside");
        told = wire::only(&after, wire::RELAY_MESSAGE).expect("a message inside");
        layers += 1;
    }
    assert!((1..=MAX_RELAYS).contains(&layers), "{layers} relays were answered");
    answer::check(world, asked, told);
    // The world has none of its own.
    let wanted = asks_for(asked, wire::ERP_LOCAL_DOMAIN_NAME);
    let told = bodies(&wire::options(&told[4..]), wire::ERP_LOCAL_DOMAIN_NAME);
    assert_eq!(told, supplied.filter(|_| wanted).unwrap_or_default());
}

/// What a relay supplies of the option that it may; nothing when it supplies none.
fn supplies<'a>(layer: &[(u16, &'a [u8])]) -> Option<Vec<&'a [u8]>> {
    let supplied = wire::only(layer, wire::RELAY_SUPPLIED)?;
    Some(bodies(&wire::options(supplied), wire::ERP_LOCAL_DOMAIN_NAME)).filter(|bodies| !bodies.is_empty())
}

/// Whether a client asks for an option, in a message that is answered by options.
fn asks_for(message: &[u8], code: u16) -> bool {
    let requested = wire::only(&wire::options(&message[4..]), wire::OPTION_REQUEST).unwrap_or_default();
    let is_configured = !matches!(
        message[0],
        wire::CONFIRM | wire::RELEASE | wire::DECLINE | wire::ADDR_REG_INFORM
    );
    is_configured && requested.chunks_exact(2).any(|asked| asked == code.to_be_bytes())
}

fn bodies<'a>(options: &[(u16, &'a [u8])], code: u16) -> Vec<&'a [u8]> {
    let of_code = options.iter().filter(|option| option.0 == code);
    of_code.map(|option| option.1).collect()
}

fn outermost_wants_its_port(datagram: &[u8]) -> bool {
    let options = wire::options(&datagram[wire::RELAY_HEAD..]);
    options.iter().any(|option| option.0 == wire::RELAY_SOURCE_PORT)
}
