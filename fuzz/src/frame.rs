//! A datagram as it is: the walk, and what the server makes of what passes.

use std::sync::OnceLock;

use orchestrator_dhcp6::{Discard, Inbound, MAX_DATAGRAM, MAX_DEPTH, MAX_OPTIONS};
use orchestrator_wire as wire;

use crate::answer;
use crate::world::{self, World};

/// Gives a datagram to a server that knows some clients.
pub fn run(datagram: &[u8]) {
    static WORLD: OnceLock<World> = OnceLock::new();
    let world = WORLD.get_or_init(inhabited);
    let inbound = Inbound {
        datagram,
        source: world::source(world::link_local(1)),
        multicast: true,
    };
    let answer = world.ask(&inbound);
    if matches!(answer, Err(Discard::Malformed(_))) || datagram.first() == Some(&wire::RELAY_FORW) {
        return;
    }
    check_bounds(datagram);
    if let Ok(answer) = answer {
        answer::check(world, datagram, &answer.datagram);
    }
}

/// A server that has leased something to three clients.
pub(crate) fn inhabited() -> World {
    let mut world = World::new(1 | 3 << 2 | 16);
    for client in 1..=3 {
        let options = [
            wire::client_id(&wire::duid(client)),
            wire::option(wire::RAPID_COMMIT, &[]),
            wire::association(wire::IA_NA, 1, &[]),
            wire::association(wire::IA_PD, 1, &[]),
        ];
        let inbound = Inbound {
            datagram: &wire::message(wire::SOLICIT, [0; 3], &options),
            source: world::source(world::link_local(client)),
            multicast: true,
        };
        let answer = world.ask(&inbound).expect("an answer");
        assert_eq!(answer.changes.len(), 2);
        answer.changes.iter().for_each(|change| world.bindings.apply(change));
    }
    world
}

/// What was not refused as malformed is bounded, and well formed as far as anyone reads it.
fn check_bounds(datagram: &[u8]) {
    assert!((4..=MAX_DATAGRAM).contains(&datagram.len()));
    let count = count_options(&datagram[4..], 1);
    assert!(count <= MAX_OPTIONS, "{count} options passed");
}

/// How many options there are, inside of each other and side by side. The plain way: by recursion.
fn count_options(bytes: &[u8], depth: usize) -> usize {
    let options = wire::options(bytes);
    assert!(options.is_empty() || depth <= MAX_DEPTH, "options {depth} deep passed");
    for singleton in [wire::CLIENT_ID, wire::SERVER_ID, wire::STATUS, wire::RAPID_COMMIT] {
        wire::only(&options, singleton);
    }
    let inside = options.iter().map(|(code, body)| match *code {
        wire::CLIENT_ID | wire::SERVER_ID => {
            assert!((3..=130).contains(&body.len()), "a DUID of {} bytes passed", body.len());
            0
        }
        wire::IA_NA | wire::IA_PD => count_options(&body[12..], depth + 1),
        wire::IA_TA => body.get(4..).map_or(0, |inside| count_options(inside, depth + 1)),
        wire::IA_ADDRESS => count_options(&body[24..], depth + 1),
        wire::IA_PREFIX => count_options(&body[25..], depth + 1),
        _ => 0,
    });
    options.len() + inside.sum::<usize>()
}
