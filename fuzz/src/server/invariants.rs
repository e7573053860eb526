//! What holds after every step.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_dhcp6::{Binding, Bindings, Change, Leased, Verb};
use orchestrator_wire as wire;

use crate::answer;
use crate::kept::{self, KEPT};
use crate::world::{
    BINDINGS_PER_CLIENT, PREFIXES_PER_CLIENT, REGISTRATIONS_PER_CLIENT, World, is_for_class, is_reserved,
};

use super::books::{Books, as_net};

/// All bindings by what they are of.
pub(super) fn snapshot(bindings: &Bindings) -> BTreeMap<Leased, Binding> {
    let all = bindings.iter().map(|binding| (binding.leased, binding.clone()));
    all.collect()
}

/// Whether a binding is of an address that its host made itself.
pub(super) fn is_registration(world: &World, binding: &Binding) -> bool {
    let registered = binding
        .leased
        .address()
        .and_then(|address| world.bindings.registration(address));
    registered == Some(binding)
}

/// What a message may change: what its sender has, what it had, and what nobody has.
pub(super) fn check_change(world: &World, change: &Change, datagram: &[u8]) {
    let asked = super::innermost(datagram);
    let sender = wire::only(&wire::options(&asked[4..]), wire::CLIENT_ID);
    assert_eq!(
        Some(change.after.duid.as_bytes()),
        sender,
        "it changes what is another's"
    );
    if matches!(change.verb, Verb::Register | Verb::Deregister) {
        let address = change.after.leased.address().expect("an address");
        assert!(
            !world.link.is_assignable(address),
            "{address} of the pool is registered"
        );
        return;
    }
    assert!(
        change.verb != Verb::Grant || !is_for_class(change.after.leased) || answer::is_of_class(asked),
        "{} is for a class",
        change.after.leased
    );
    let gives = matches!(change.verb, Verb::Grant | Verb::Renew);
    assert!(
        !gives || !kept::is_kept_from(&world.link.reservations, datagram, change.after.leased),
        "{} is kept for another",
        change.after.leased
    );
    let before = world.bindings.at(change.after.leased);
    assert_eq!(change.before.as_ref(), before);
    let is_anothers = |before: &Binding| before.is_taken(world.now) && before.duid != change.after.duid;
    assert!(
        !before.is_some_and(is_anothers),
        "{} is taken from {before:?}",
        change.after.leased
    );
}

/// Unicast that is answered came from an address that its sender holds.
pub(super) fn check_unicast(world: &World, source: Ipv6Addr, sender: Option<&[u8]>) {
    let held = world.bindings.by_address(source);
    let is_own = held.is_some_and(|own| own.is_held(world.now) && Some(own.duid.as_bytes()) == sender);
    assert!(is_own, "{source} is not held by who sent from it: {held:?}");
}

/// Checks all that is to hold between messages.
pub(super) fn check(world: &World, books: &Books) {
    check_bindings(world);
    check_limits(world, books);
    check_beliefs(world, books);
}

/// Who believes to have something has it.
pub(super) fn check_beliefs(world: &World, books: &Books) {
    for (leased, belief) in books.held() {
        let binding = match leased.prefix_len() {
            128 => world.bindings.by_address(leased.network()),
            _ => world.bindings.by_prefix(*leased),
        };
        let binding = binding.unwrap_or_else(|| panic!("{leased} has no binding: {belief:?}"));
        assert!(
            binding.duid.as_bytes() == belief.client
                && binding.is_held(world.now)
                && binding.valid_until >= belief.until,
            "{belief:?} has lost {leased}: {binding:?}"
        );
    }
}

/// Nobody has what nobody may have, and nothing is held twice.
fn check_bindings(world: &World) {
    let mut held: Vec<Ipv6Net> = Vec::new();
    for binding in world.bindings.iter().filter(|binding| binding.is_held(world.now)) {
        if let Leased::Address(address) = binding.leased {
            assert!(
                !is_reserved(address) && address != world.link.address && is_leasable(world, address),
                "{address} is held"
            );
        }
        held.push(as_net(binding.leased));
    }
    held.sort_unstable();
    for pair in held.windows(2) {
        assert!(!pair[0].contains(&pair[1]), "{} is held within {}", pair[1], pair[0]);
    }
}

/// Whether an address is in a pool, or may have been kept for a client.
fn is_leasable(world: &World, address: Ipv6Addr) -> bool {
    world.link.is_assignable(address) || kept::may_keep(world.link.pool.first(), address)
}

/// However many messages there are, what is remembered is bounded.
fn check_limits(world: &World, books: &Books) {
    let count = |prefixes: bool| {
        let all = world.bindings.iter();
        all.filter(|binding| binding.leased.prefix().is_some() == prefixes)
            .count()
    };
    // What is kept for a client comes on top of what it may have otherwise.
    let most = world.link.limits.bindings + KEPT;
    assert!(
        count(false) <= most && count(true) <= most,
        "more than {most} are remembered"
    );
    for client in books.clients() {
        let own: Vec<&Binding> = world.bindings.of_client(client).collect();
        let registered = own.iter().filter(|binding| is_registration(world, binding)).count();
        assert!(
            registered <= REGISTRATIONS_PER_CLIENT,
            "{client} has registered {registered}"
        );
        let addresses = own.iter().filter(|binding| binding.leased.address().is_some()).count() - registered;
        // Of what it had in another class as many are remembered.
        assert!(
            addresses <= 2 * BINDINGS_PER_CLIENT + KEPT,
            "{client} has {addresses} addresses"
        );
        // What is remembered of prefixes of another length than is delegated now is not counted.
        let prefixes = own
            .iter()
            .filter(|binding| binding.leased.prefix().is_some() && binding.is_taken(world.now));
        let prefixes = prefixes.count();
        assert!(
            prefixes <= PREFIXES_PER_CLIENT + KEPT,
            "{client} has {prefixes} prefixes"
        );
    }
}
