//! A sequence of messages to the whole server, from several clients, with time that passes, commits that fail,
//! restarts, and an admin. What must hold is checked after each step.

mod books;
mod invariants;
mod message;
mod step;

use orchestrator_dhcp6::{Answer, Bindings, Duid, Inbound, Leased, Reconfigure, Reservations};
use orchestrator_wire as wire;

use crate::script::Script;
use crate::world::{self, World};
use crate::{answer, kept};
use books::{Asker, Books};
use message::Sent;
use step::{Doing, Step};

/// Steps of one sequence.
const STEPS: usize = 64;

/// The first byte says the settings, the rest the steps.
pub fn run(script: &[u8]) {
    play(script);
}

/// Takes all steps; gives back what is there after the last.
fn play(script: &[u8]) -> Option<Site> {
    let mut script = Script::new(script);
    let settings = script.byte()?;
    let mut site = Site {
        world: World::new(settings),
        books: Books::default(),
    };
    for _ in 0..STEPS {
        let Some(step) = Step::read(&mut script, &site.world, &site.books) else {
            break;
        };
        site.take(&step);
    }
    Some(site)
}

/// A server, and what its clients believe.
struct Site {
    world: World,
    books: Books,
}

impl Site {
    fn take(&mut self, step: &Step) {
        self.world.now += step.passes;
        self.books.forget_ended(self.world.now);
        match &step.doing {
            // What changes nothing leaves all as it was checked before.
            Doing::Say(sent) if !self.say(sent, step.lost) => {
                return invariants::check_beliefs(&self.world, &self.books);
            }
            Doing::Say(_) => {}
            Doing::Restart => self.restart(),
            Doing::Reconfigure(client) => self.reconfigure(*client),
            Doing::Settle { lengths, keeps } => self.settle(*lengths, *keeps),
            Doing::Release(leased) => self.release(*leased),
        }
        invariants::check(&self.world, &self.books);
    }

    fn settle(&mut self, lengths: usize, keeps: bool) {
        let link = &mut self.world.link;
        link.delegation = world::delegation(lengths);
        link.reservations = match keeps {
            true => kept::reservations(link.pool.first()),
            false => Reservations::new(),
        };
    }

    /// Gives the server a datagram; whether anything was changed by it.
    fn say(&mut self, sent: &Sent, lost: bool) -> bool {
        let inbound = Inbound {
            datagram: &sent.datagram,
            source: world::source(sent.source),
            multicast: sent.multicast,
        };
        let answer = self.world.ask(&inbound);
        assert_eq!(answer, self.world.ask(&inbound), "it is no function");
        let Ok(answer) = answer else {
            return false;
        };
        let (asked, told) = (innermost(&sent.datagram), innermost(&answer.datagram));
        let leases = answer::check(&self.world, asked, told);
        let sender = wire::only(&wire::options(&asked[4..]), wire::CLIENT_ID);
        if !sent.multicast {
            invariants::check_unicast(&self.world, sent.source, sender);
        }
        self.commit(&answer, &sent.datagram, lost);
        if lost {
            return false;
        }
        for change in &answer.changes {
            self.books.note_change(change);
        }
        if let Some(sender) = sender {
            let asker = Asker {
                client: sender,
                address: answer.client_address,
                named: wire::options(&asked[4..])
                    .iter()
                    .filter(|(code, _)| [wire::IA_NA, wire::IA_PD].contains(code))
                    .map(|(code, body)| (*code, wire::number(body)))
                    .collect(),
            };
            self.books.note_told(told[0], &asker, &leases, self.world.now);
        }
        !answer.changes.is_empty()
    }

    /// Makes the changes; when the commit fails, all is as if there had been none.
    fn commit(&mut self, answer: &Answer, datagram: &[u8], lost: bool) {
        if answer.changes.is_empty() {
            return;
        }
        let before = invariants::snapshot(&self.world.bindings);
        for change in &answer.changes {
            invariants::check_change(&self.world, change, datagram);
            self.world.bindings.apply(change);
        }
        let after = invariants::snapshot(&self.world.bindings);
        for change in answer.changes.iter().rev() {
            self.world.bindings.undo(change);
        }
        assert_eq!(invariants::snapshot(&self.world.bindings), before, "it was not undone");
        if !lost {
            answer
                .changes
                .iter()
                .for_each(|change| self.world.bindings.apply(change));
            assert_eq!(invariants::snapshot(&self.world.bindings), after);
        }
    }

    /// What a daemon does that begins with what was recorded.
    fn restart(&mut self) {
        let mut recalled = Bindings::new();
        self.world
            .bindings
            .iter()
            .for_each(|binding| recalled.load(binding.clone()));
        for client in self.books.clients() {
            let own = self.world.bindings.of_client(client);
            own.filter(|binding| invariants::is_registration(&self.world, binding))
                .for_each(|binding| recalled.load_registration(binding.clone()));
        }
        assert_eq!(recalled.len(), self.world.bindings.len());
        self.world.bindings = recalled;
    }

    fn reconfigure(&self, client: u8) {
        let duid = Duid::new(wire::duid(client)).expect("a DUID");
        let datagram = self.world.server.reconfigure(&duid, Reconfigure::Renew, self.world.now);
        let datagram = datagram.expect("a message");
        assert_eq!(datagram[..4], [10, 0, 0, 0]);
        let codes: Vec<u16> = wire::options(&datagram[4..]).iter().map(|option| option.0).collect();
        assert_eq!(codes, [1, 2, 11, 19]);
    }

    fn release(&mut self, leased: Leased) {
        if let Some(change) = self.world.bindings.release(leased, self.world.now) {
            self.world.bindings.apply(&change);
            self.books.note_change(&change);
        }
    }
}

/// The message of a datagram that was answered, or of an answer, without what relays put around it.
fn innermost(datagram: &[u8]) -> &[u8] {
    let mut message = datagram;
    while [wire::RELAY_FORW, wire::RELAY_REPL].contains(&message[0]) {
        message = wire::only(&wire::options(&message[34..]), wire::RELAY_MESSAGE).expect("a message inside");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeds;

    /// How many believe to have something after a seed, and how many bindings there are.
    fn after(name: &str) -> (usize, usize) {
        let seeds = seeds::server();
        let (_, script) = seeds.iter().find(|seed| seed.0 == name).unwrap();
        let site = play(script).unwrap();
        (site.books.held().count(), site.world.bindings.len())
    }

    #[test]
    fn seeds_go_the_ways_that_they_are_named_after() {
        assert_eq!(after("lease"), (0, 1));
        assert_eq!(after("expiry"), (1, 2));
        assert_eq!(after("decline"), (0, 2));
        assert_eq!(after("prefix"), (2, 2));
        assert_eq!(after("relayed"), (1, 1));
        assert_eq!(after("crowd"), (24, 24));
        assert_eq!(after("restart"), (0, 1));
        assert_eq!(after("lost"), (2, 2));
        // One association in two options is one.
        assert_eq!(after("forged"), (4, 4));
        // It was released by its client and not by another, and leased again when that confirmed it.
        assert_eq!(after("unicast"), (0, 1));
    }

    #[test]
    fn a_class_is_met() {
        let seeds = seeds::server();
        let (_, script) = seeds.iter().find(|seed| seed.0 == "class").unwrap();
        let site = play(script).unwrap();
        let of_class = site
            .world
            .bindings
            .iter()
            .filter(|binding| world::is_for_class(binding.leased));
        assert_eq!(of_class.count(), 2, "an address and a prefix");
    }

    #[test]
    fn what_is_kept_is_given_to_those_it_is_kept_for() {
        let seeds = seeds::server();
        let (_, script) = seeds.iter().find(|seed| seed.0 == "kept").unwrap();
        let world = play(script).unwrap().world;
        let first = world.link.pool.first();
        let addresses = world.bindings.iter().filter_map(|binding| binding.leased.address());
        assert_eq!(addresses.filter(|address| kept::may_keep(first, *address)).count(), 4);
        let prefixes = world.bindings.iter().filter_map(|binding| binding.leased.prefix());
        assert_eq!(prefixes.filter(|prefix| kept::may_keep_prefix(*prefix)).count(), 3);
    }

    #[test]
    fn what_is_kept_goes_to_another_association_of_the_same_interface_only() {
        let seeds = seeds::server();
        let (_, script) = seeds.iter().find(|seed| seed.0 == "two-interfaces").unwrap();
        let world = play(script).unwrap().world;
        let first = world.link.pool.first();
        let of = |binding: &&orchestrator_dhcp6::Binding| {
            let address = binding.leased.address();
            address.is_some_and(|address| kept::may_keep(first, address) && binding.is_held(world.now))
        };
        let holders: Vec<u32> = world.bindings.iter().filter(of).map(|binding| binding.iaid.0).collect();
        assert_eq!(holders, [5]);
    }

    #[test]
    fn limits_are_met() {
        let (_, bindings) = after("crowd-limited");
        assert!((12..=24).contains(&bindings), "{bindings}");
    }
}
