//! Traffic with the host, and what the host forwards.

use orchestrator_host::DropCause;

use super::{MARK, Table, ends, routed};
use crate::attack::lab::Who;
use orchestrator_wire::packet::{self, Ends};

pub(super) fn through_the_host(t: &mut Table) {
    use Who::{Alice, Bob, Far, Host, Instance, Other, World};
    let mark = MARK;
    t.attack(
        "an instance reaches one of another link",
        Instance,
        Far,
        DropCause::Pair,
        packet::udp(routed(Instance, Far), (5000, 80), &mark),
    );
    t.attack(
        "a client reaches another's instance of another link",
        Bob,
        Far,
        DropCause::Pair,
        packet::udp(routed(Bob, Far), (5001, 80), &mark),
    );
    t.attack(
        "a client reaches a neighbour's instance by way of the host",
        Alice,
        Other,
        DropCause::Pair,
        packet::udp(routed(Alice, Other), (5002, 80), &mark),
    );
    t.attack(
        "an instance without egress reaches the world",
        Other,
        World,
        DropCause::Egress,
        packet::udp(routed(Other, World), (5003, 443), &mark),
    );
    t.attack(
        "an instance reaches another port of the world",
        Instance,
        World,
        DropCause::Egress,
        packet::udp(routed(Instance, World), (5004, 25), &mark),
    );
    t.attack(
        "the world connects to an instance",
        World,
        Other,
        DropCause::Egress,
        packet::udp(
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
        packet::udp(
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
        packet::udp(routed(Instance, Host), (5007, 9999), &mark),
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
        packet::udp(link, (5008, 9999), &mark),
    );
}
