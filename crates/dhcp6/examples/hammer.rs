//! Sends what strangers could make up to a server that lives on, for a given time, and checks what must always hold.
//!
//! `cargo run -p orchestrator-dhcp6 --example hammer [-- SECONDS [SEED]]`
//!
//! Inputs are mutations of earlier ones. One that is answered, or refused, in a way not seen before is kept and mutated
//! in its turn; addresses that the server hands out find their way into later inputs. Ends with the number of inputs;
//! at the first fault it panics with the input in hexadecimal.

use std::collections::HashSet;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use orchestrator_dhcp6::{Answer, Bindings, Discard, Inbound, Leased, Limiter, Link, Pool, PrefixPool, Server};

fn main() {
    let mut words = std::env::args().skip(1).filter_map(|word| word.parse::<u64>().ok());
    let span = Duration::from_secs(words.next().unwrap_or(10));
    let seed = words.next().unwrap_or_else(|| u64::from(std::process::id()));
    let mut hammer = Hammer::new(seed);
    let started = Instant::now();
    let mut count = 0u64;
    while started.elapsed() < span {
        for _ in 0..1000 {
            hammer.strike();
        }
        count += 1000;
    }
    println!(
        "{count} inputs, seed {seed}: {} kinds of outcome, {} bindings",
        hammer.seen.len(),
        hammer.bindings.len()
    );
}

/// A small generator of numbers that need not be good (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides.max(1) as u64) as usize
    }
}

struct Hammer {
    dice: Dice,
    server: Server,
    link: Link,
    bindings: Bindings,
    limiter: Limiter,
    now: i64,
    corpus: Vec<Vec<u8>>,
    /// Addresses that were handed out.
    addresses: Vec<Ipv6Addr>,
    /// Kinds of outcome.
    seen: HashSet<String>,
}

impl Hammer {
    fn new(seed: u64) -> Self {
        let parse = |text: &str| text.parse().expect("an address");
        let pool = Pool::new("2001:db8:0:1::1:0/122".parse().expect("a prefix"));
        let mut link = Link::new(
            "2001:db8:0:1::/64".parse().expect("a prefix"),
            parse("2001:db8:0:1::1:3"),
            pool,
        );
        link.rapid_commit = true;
        link.reconfigure = true;
        link.options.set_dns_servers(&[parse("2001:db8::53")]);
        link.limits.bindings_per_client = 4;
        link.delegation = [("2001:db8:1::/58", 60), ("2001:db8:2::/61", 64)]
            .map(|(prefix, length)| PrefixPool::new(prefix.parse().expect("a prefix"), length).expect("a pool"))
            .to_vec();
        let server = Server::new("00:02:00:00:ab:11:aa:bb:cc:dd".parse().expect("a DUID"), [7; 16]);
        let corpus = seeds(server.duid().as_bytes());
        let limiter = Limiter::new([9; 16], 1000, Duration::from_millis(1));
        Self {
            dice: Dice(seed),
            server,
            link,
            bindings: Bindings::new(),
            limiter,
            now: 1_800_000_000_000,
            corpus,
            addresses: vec![parse("2001:db8:0:1::1:7"), parse("2001:db8:0:2::1")],
            seen: HashSet::new(),
        }
    }

    fn strike(&mut self) {
        self.now += [0, 1, 1000, 4_000_000][self.dice.roll(4)] * i64::from(self.dice.roll(20) == 0);
        let mut datagram = self.corpus[self.dice.roll(self.corpus.len())].clone();
        for _ in 0..=self.dice.roll(4) {
            self.mutate(&mut datagram);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| self.try_one(&datagram)));
        let outcome = outcome.unwrap_or_else(|fault| {
            let hex: String = datagram.iter().map(|byte| format!("{byte:02x}")).collect();
            eprintln!("input: {hex}");
            resume_unwind(fault)
        });
        if self.seen.insert(outcome) && datagram.len() < 4000 {
            self.corpus.push(datagram);
        }
    }

    fn mutate(&mut self, datagram: &mut Vec<u8>) {
        let at = self.dice.roll(datagram.len());
        match self.dice.roll(9) {
            0 if !datagram.is_empty() => datagram[at] = self.dice.roll(256) as u8,
            1 if !datagram.is_empty() => datagram[at] ^= 1 << self.dice.roll(8),
            2 => datagram.truncate(at),
            3 => datagram.insert(at, self.dice.roll(256) as u8),
            4 => {
                // A piece of another input, or of this one.
                let other = &self.corpus[self.dice.roll(self.corpus.len())];
                let from = self.dice.roll(other.len());
                let piece = other[from..(from + self.dice.roll(60)).min(other.len())].to_vec();
                datagram.splice(at..at, piece);
            }
            5 => {
                let address = self.addresses[self.dice.roll(self.addresses.len())].octets();
                let end = (at + 16).min(datagram.len());
                datagram[at..end].copy_from_slice(&address[..end - at]);
            }
            6 if !datagram.is_empty() => datagram[0] = self.dice.roll(14) as u8,
            7 => *datagram = relayed(datagram, self.dice.roll(2) == 0),
            // Another client of four: the last byte of every DUID in the seeds.
            _ => {
                let client = self.dice.roll(4) as u8;
                for at in 0..datagram.len().saturating_sub(9) {
                    if datagram[at..].starts_with(DUID) {
                        datagram[at + DUID.len()] = client;
                    }
                }
            }
        }
    }

    /// Handles one datagram; says in which way it was answered.
    fn try_one(&mut self, datagram: &[u8]) -> String {
        let source = SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2), 546, 0, 1);
        let inbound = Inbound {
            datagram,
            source,
            multicast: true,
        };
        self.limiter.admit(&inbound, self.now).err();
        match self.server.handle(&self.link, &self.bindings, &inbound, self.now) {
            Ok(answer) => self.check(&inbound, answer),
            Err(Discard::OtherLink(_)) => "other-link".to_owned(),
            Err(discard) => discard.to_string(),
        }
    }

    fn check(&mut self, inbound: &Inbound<'_>, answer: Answer) -> String {
        assert_eq!(
            self.server
                .handle(&self.link, &self.bindings, inbound, self.now)
                .as_ref(),
            Ok(&answer)
        );
        let held = self.bindings.iter().filter(|binding| binding.is_held(self.now)).count();
        for change in &answer.changes {
            let leased = change.after.leased;
            let before = self.bindings.at(leased);
            assert_eq!(change.before.as_ref(), before);
            match leased {
                Leased::Address(address) => assert!(self.link.is_assignable(address)),
                Leased::Prefix(prefix) => assert!(self.link.delegating(prefix).is_some()),
            }
            assert!(before.is_none_or(|before| !before.is_taken(self.now) || before.duid == change.after.duid));
            self.bindings.apply(change);
            self.addresses.push(match leased {
                Leased::Address(address) => address,
                Leased::Prefix(prefix) => prefix.network(),
            });
        }
        if self.addresses.len() > 200 {
            self.addresses.drain(..100);
        }
        let verbs: Vec<&str> = answer.changes.iter().map(|change| change.verb.word()).collect();
        // What a failed commit does: all is as it was.
        if self.dice.roll(8) == 0 {
            answer
                .changes
                .iter()
                .rev()
                .for_each(|change| self.bindings.undo(change));
            assert_eq!(
                self.bindings.iter().filter(|binding| binding.is_held(self.now)).count(),
                held
            );
        }
        format!("{} {verbs:?} {}", answer.kind, shape(&answer.datagram))
    }
}

/// Which options an answer has.
fn shape(datagram: &[u8]) -> String {
    let head = if datagram[0] == 13 { 34 } else { 4 };
    let (mut rest, mut codes) = (&datagram[head..], format!("{}:", datagram[0]));
    while let [c0, c1, l0, l1, tail @ ..] = rest {
        codes += &format!(" {}", u16::from_be_bytes([*c0, *c1]));
        rest = &tail[usize::from(u16::from_be_bytes([*l0, *l1]))..];
    }
    assert!(rest.is_empty(), "the answer is not well formed");
    codes
}

/// All but the last byte of a client's DUID.
const DUID: &[u8] = &[0, 3, 0, 1, 2, 0, 0x5e, 0x10, 0];

fn option(code: u16, body: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), &(body.len() as u16).to_be_bytes(), body].concat()
}

fn relayed(inner: &[u8], named: bool) -> Vec<u8> {
    let link = if named {
        [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1]
    } else {
        [0; 8]
    };
    let beside = [option(18, b"port"), option(79, &[0, 1, 2, 0, 0, 0, 0, 1])].concat();
    [&[12, 0][..], &link, &[0; 8], &[0xfe; 16], &beside, &option(9, inner)].concat()
}

/// A message of each kind, with all options that the server looks at.
fn seeds(server: &[u8]) -> Vec<Vec<u8>> {
    let address = [
        0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let ia = |iaid: u8| {
        option(
            3,
            &[&[0, 0, 0, iaid, 0, 0, 0, 0, 0, 0, 0, 0][..], &option(5, &address)].concat(),
        )
    };
    let prefix = [&[0; 8][..], &[60, 0x20, 1, 0x0d, 0xb8, 0, 1], &[0; 10]].concat();
    let delegated = option(25, &[&[0; 12][..], &option(26, &prefix)].concat());
    let rest = [
        option(6, &[0, 23, 0, 24, 0, 67, 0, 82]),
        option(8, &[0, 0]),
        option(20, &[]),
        option(39, b"\x00\x03box"),
    ];
    [1u8, 3, 4, 5, 6, 8, 9, 11]
        .iter()
        .map(|kind| {
            let mut message = vec![*kind, 1, 2, 3];
            message.extend(option(1, &[DUID, &[1]].concat()));
            if [3, 5, 8, 9].contains(kind) {
                message.extend(option(2, server));
            }
            if *kind != 11 {
                message.extend([ia(1), ia(2), delegated.clone(), option(14, &[])].concat());
            }
            message.extend(rest.concat());
            message
        })
        .collect()
}
