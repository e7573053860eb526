//! The client, and servers that answer it as they like: by a script that says what their answers hold, or by bytes.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use orchestrator_dhcp6::client::{Action, Client, ClientSettings, Wants};
use orchestrator_dhcp6::{Iaid, Leased};
use orchestrator_wire as wire;

use crate::script::Script;
use crate::world::{self, BEGINNING};

/// Steps of one sequence.
const STEPS: usize = 64;
/// Milliseconds that may pass in a step.
const PASSES: [i64; 8] = [0, 1, 999, 1101, 10_000, 100_000, 3_000_000, 90_000_000];
/// What a client keeps at most.
const MOST_LEASES: usize = 16;
/// Messages that one step can bring about beyond those that are due.
const AT_ONCE: usize = 20;
/// Least milliseconds between messages that are due.
const APART: i64 = 100;

/// The first byte says the settings, the rest the steps.
pub fn run(script: &[u8]) {
    if let Some(mut home) = play(script) {
        home.end();
    }
}

/// Takes all steps; gives back what is there after the last.
fn play(script: &[u8]) -> Option<Home> {
    let mut script = Script::new(script);
    let mut home = Home::new(script.byte()?);
    for _ in 0..STEPS {
        if home.step(&mut script).is_none() {
            break;
        }
        home.check();
    }
    Some(home)
}

/// A client, and what it told its machine to have.
struct Home {
    client: Client,
    now: i64,
    assigned: BTreeSet<Leased>,
    /// The last message that it sent.
    said: Vec<u8>,
}

impl Home {
    fn new(settings: u8) -> Self {
        let wants = match settings & 3 {
            0 => Wants::Configuration,
            1 => Wants::Address,
            2 => Wants::Prefix(Some(settings >> 3)),
            _ => Wants::AddressAndPrefix(None),
        };
        let settings = ClientSettings {
            duid: "00:03:00:01:02:00:5e:10:00:01".parse().expect("a DUID"),
            iaid: Iaid(1),
            wants,
            rapid_commit: settings & 4 != 0,
            reconfigure: true,
            hostname: "box".parse().ok(),
        };
        Self {
            client: Client::new(settings, [7; 16], None, BEGINNING),
            now: BEGINNING,
            assigned: BTreeSet::new(),
            said: Vec::new(),
        }
    }

    /// Takes one step; nothing when the script is over.
    fn step(&mut self, script: &mut Script<'_>) -> Option<()> {
        let first = script.byte()?;
        match first & 15 {
            0..4 => self.pass(PASSES[usize::from(first >> 4) % PASSES.len()]),
            4 => self.hear(script.long()?),
            5 => self.client.reattach(self.now),
            6 => self.decline(first >> 4),
            7 if first >> 4 == 15 => self.release(),
            // It is busy elsewhere meanwhile.
            7 if first >> 4 >= 8 => self.now += PASSES[usize::from(first >> 4) - 8],
            _ => {
                let answer = answer(&self.said, first >> 4, script)?;
                self.hear(&answer);
            }
        }
        Some(())
    }

    /// Lets time pass; the client says no more than there is time for.
    fn pass(&mut self, span: i64) {
        let end = self.now + span;
        let (mut said, most) = (0, AT_ONCE + usize::try_from(span / APART).unwrap_or(usize::MAX));
        while let Some(due) = self.client.next().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let actions = self.client.wake(self.now);
            said += self.carry_out(actions);
            assert!(said <= most, "{said} messages in {span} ms");
        }
        self.now = end;
    }

    fn hear(&mut self, datagram: &[u8]) {
        if let Ok(actions) = self.client.take(datagram, self.now) {
            assert_eq!(self.carry_out(actions), 0, "it says something when it is spoken to");
        }
    }

    fn decline(&mut self, number: u8) {
        let addresses: Vec<Ipv6Addr> = self.assigned.iter().filter_map(|leased| leased.address()).collect();
        if let Some(address) = addresses.get(usize::from(number) % addresses.len().max(1)) {
            let actions = self.client.decline(*address, self.now);
            self.carry_out(actions);
        }
    }

    fn release(&mut self) {
        let actions = self.client.release(self.now);
        self.carry_out(actions);
        assert!(self.assigned.is_empty());
    }

    /// Does what the client wants; how many messages it sends.
    fn carry_out(&mut self, actions: Vec<Action>) -> usize {
        let mut said = 0;
        for action in actions {
            match action {
                Action::Send(message) => {
                    wire::options(&message[4..]);
                    self.said = message;
                    said += 1;
                }
                Action::Assign(lease) => {
                    assert!(lease.valid_until > self.now && lease.preferred_until <= lease.valid_until);
                    self.assigned.insert(lease.leased);
                }
                Action::Withdraw(leased) => {
                    self.assigned.remove(&leased);
                }
                Action::Tell(_) => {}
            }
        }
        said
    }

    /// What its machine has is what it has leased, and none of it has ended.
    fn check(&self) {
        let leases = self.client.holdings().map_or(&[][..], |held| &held.leases);
        assert!(leases.len() <= MOST_LEASES);
        let held: BTreeSet<Leased> = leases.iter().map(|lease| lease.leased).collect();
        assert_eq!(held.len(), leases.len(), "something is held twice");
        assert!(self.assigned.is_subset(&held), "{:?} but {held:?}", self.assigned);
        let is_due = self.client.next().is_some_and(|next| next <= self.now);
        assert!(
            is_due || leases.iter().all(|lease| lease.valid_until > self.now),
            "it has ended"
        );
    }

    /// Whatever was, all can be given back.
    fn end(&mut self) {
        self.release();
        self.pass(60_000);
        assert!(self.client.is_done() && self.client.next().is_none());
    }
}

/// An answer to what the client said last, as the script has it; nothing when the script is over.
fn answer(said: &[u8], flags: u8, script: &mut Script<'_>) -> Option<Vec<u8>> {
    let kind = match flags & 3 {
        0 => wire::ADVERTISE,
        3 => script.byte()?,
        _ => wire::REPLY,
    };
    let mut transaction = [0; 3];
    transaction.copy_from_slice(said.get(1..4)?);
    let server = [0, 2, 0, 0, 0xab, 0x11, flags >> 2];
    let mut options = vec![wire::client_id(&wire::duid(1)), wire::server_id(&server)];
    for _ in 0..script.choice(6)? {
        options.push(option(script)?);
    }
    Some(wire::message(kind, transaction, &options))
}

fn option(script: &mut Script<'_>) -> Option<Vec<u8>> {
    Some(match script.choice(8)? {
        0..3 => association(wire::IA_NA, script)?,
        3 => association(wire::IA_PD, script)?,
        4 => wire::option(wire::RAPID_COMMIT, &[]),
        5 => wire::option(wire::STATUS, &[&[0, script.byte()?], script.short()?].concat()),
        6 => wire::option(7, &[script.byte()?]),
        _ => wire::option(script.byte()?.into(), script.short()?),
    })
}

fn association(code: u16, script: &mut Script<'_>) -> Option<Vec<u8>> {
    let count = script.choice(6)?;
    let times = (time(script)?, time(script)?);
    let mut nested = Vec::new();
    if count == 5 {
        nested.push(wire::option(wire::STATUS, &[0, script.byte()?]));
    }
    for _ in 0..count {
        let (preferred, valid) = (time(script)?, time(script)?);
        let number = script.byte()?;
        nested.push(match code {
            wire::IA_NA => wire::ia_address(world::on_link(number.into()), preferred, valid),
            _ => {
                let prefix = Ipv6Addr::new(0x2001, 0xdb8, 1, number.into(), 0, 0, 0, 0);
                wire::ia_prefix(prefix, script.byte()?, preferred, valid)
            }
        });
    }
    Some(wire::association_timed(code, 1, times, &nested))
}

/// Seconds, in few bytes what is usual.
fn time(script: &mut Script<'_>) -> Option<u32> {
    Some(match script.byte()? {
        255 => u32::MAX,
        254 => u32::MAX - 1,
        long @ 128.. => u32::from(long - 127) * 600,
        short => short.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeds;

    #[test]
    fn seeds_go_the_ways_that_they_are_named_after() {
        let after = |name: &str| {
            let seeds = seeds::client();
            let (_, script) = seeds.iter().find(|seed| seed.0 == name).unwrap();
            play(script).unwrap().assigned.len()
        };
        for (name, assigned) in [
            ("lease", 0),
            ("rapid", 0),
            ("expiry", 1),
            ("decline", 1),
            ("confirm", 0),
            ("prefix", 1),
            ("refused", 0),
            ("inform", 0),
        ] {
            assert_eq!(after(name), assigned, "{name}");
        }
    }
}
