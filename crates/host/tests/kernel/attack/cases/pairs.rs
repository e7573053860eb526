//! Who speaks with whom on a bridge.

use orchestrator_host::DropCause;

use super::{MARK, Table, address, as_from, ends, local};
use crate::attack::lab::Who;
use orchestrator_wire::packet;

pub(super) fn pairs(t: &mut Table) {
    use Who::{Alice, Bob, Instance, Other, Router, Stranger};
    let pair = DropCause::Pair;
    let mark = MARK;
    t.attack(
        "a client connects to another's instance",
        Alice,
        Other,
        pair,
        packet::tcp(ends(Alice, Other), (4000, 80), 2, &mark),
    );
    t.attack(
        "a client reaches another's instance by link-local addresses",
        Alice,
        Other,
        pair,
        packet::udp(local(Alice, Other), (4001, 80), &mark),
    );
    t.attack(
        "a client sends from its delegated prefix to another's instance",
        Alice,
        Other,
        pair,
        packet::udp(as_from(ends(Alice, Other), address("fd40:a::1")), (4002, 80), &mark),
    );
    t.attack(
        "an instance connects to another client",
        Instance,
        Bob,
        pair,
        packet::tcp(ends(Instance, Bob), (4003, 22), 2, &mark),
    );
    t.attack(
        "an instance connects from its open port",
        Instance,
        Bob,
        pair,
        packet::tcp(ends(Instance, Bob), (443, 22), 2, &mark),
    );
    t.attack(
        "an instance connects to another instance",
        Instance,
        Other,
        pair,
        packet::tcp(ends(Instance, Other), (4004, 80), 2, &mark),
    );
    t.attack(
        "an instance reaches another by link-local addresses",
        Other,
        Instance,
        pair,
        packet::udp(local(Other, Instance), (4005, 80), &mark),
    );
    t.attack(
        "a client connects to a closed port of an open instance",
        Bob,
        Instance,
        pair,
        packet::tcp(ends(Bob, Instance), (4006, 22), 2, &mark),
    );
    t.attack(
        "a router's port connects to an instance",
        Router,
        Other,
        pair,
        packet::tcp(ends(Router, Other), (4007, 80), 2, &mark),
    );
    t.attack(
        "a machine that nobody knows connects to an instance",
        Stranger,
        Other,
        DropCause::Source,
        packet::tcp(ends(Stranger, Other), (4008, 80), 2, &mark),
    );
}
