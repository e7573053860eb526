//! Datagrams of strangers who mean harm: nobody loses a lease, the daemon lives on in the memory it had, and the next
//! client is served.

use std::fs;
use std::net::Ipv6Addr;

use orchestrator_wire::{
    CONFIRM, DECLINE, IA_NA, IA_TA, INFORMATION_REQUEST, REBIND, RELAY_MESSAGE, RELEASE, RENEW, REQUEST, SOLICIT,
    ia_na, ia_pd_hint, message, nested, option, relay_forw,
};
use serde_json::Value;

use crate::client::{Client, receive};
use crate::discard::assert_discarded;
use crate::site::{POOL, Site, plain};

/// Kinds of messages that clients send about addresses.
pub(crate) const KINDS: [u8; 7] = [SOLICIT, REQUEST, CONFIRM, RENEW, REBIND, RELEASE, DECLINE];
/// How much more memory the daemon may take under attack, in KiB.
const GROWTH: u64 = 32 * 1024;
/// How many datagrams a stranger sends before it lets the server catch up: they fit into a socket's buffer.
const BURST: usize = 100;

/// What must outlast an attack: the daemon's process and its memory, and a client's lease.
pub(crate) struct Standing {
    pid: u32,
    memory: u64,
    victim: Client,
    leased: Ipv6Addr,
    lease: Value,
}

impl Standing {
    pub(crate) fn of(site: &mut Site) -> Self {
        let victim = site.client();
        let leased = victim.lease(1);
        let pid = site.pid();
        Self {
            pid,
            memory: memory(pid),
            leased,
            lease: site.lease(leased).unwrap(),
            victim,
        }
    }

    /// The victim has what it had, and it and a new client are served.
    #[track_caller]
    pub(crate) fn assert_unharmed(&self, site: &mut Site) {
        assert_eq!(site.pid(), self.pid, "the daemon is another one");
        let (before, after) = (self.memory, memory(self.pid));
        println!("{before} KiB before, {after} KiB after");
        assert!(after < before + GROWTH);
        assert_eq!(site.lease(self.leased).as_ref(), Some(&self.lease));
        assert_eq!(self.victim.tell(RENEW, 1, self.leased).ia(1).leased().ip, self.leased);
        let new = site.client();
        assert_ne!(new.lease(1), self.leased);
    }
}

/// The resident memory of a process in KiB.
fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn options_nested_deep_or_many_are_discarded() {
    let mut site = plain();
    let standing = Standing::of(&mut site);
    let client = site.client();
    for (what, options, reason) in [
        ("4,096 deep", nested(IA_TA, &[0; 4], 4096), "too-long"),
        ("4,096 in a row", option(99, &[]).repeat(4096), "too-long"),
        ("1,000 deep", nested(IA_TA, &[0; 4], 1000), "malformed"),
        ("500 deep", nested(IA_NA, &[0; 12], 500), "malformed"),
        ("5 deep", nested(IA_NA, &[0; 12], 5), "malformed"),
        ("2,000 in a row", option(99, &[]).repeat(2000), "malformed"),
        (
            "2,000 in an association",
            option(IA_NA, &[vec![0; 12], option(99, &[]).repeat(2000)].concat()),
            "malformed",
        ),
        (
            "500 associations",
            (10..510).flat_map(|iaid| ia_na(iaid, &[])).collect(),
            "malformed",
        ),
    ] {
        println!("{what}");
        let bytes = message(SOLICIT, client.xid(), &[client.id(), options]);
        assert_discarded(&site, &client, reason, &bytes);
    }
    standing.assert_unharmed(&mut site);
}

#[test]
fn datagrams_of_64_kib_are_discarded() {
    let mut site = plain();
    let standing = Standing::of(&mut site);
    let client = site.client();
    let valid = message(SOLICIT, client.xid(), &[client.id(), ia_na(1, &[])]);
    // The most that fits, in fragments: one option, options without end, zeros, a relay around relays.
    let most = 65_527;
    let one = [valid.clone(), option(9999, &vec![7; most - valid.len() - 4])].concat();
    let many = [valid.clone(), option(9999, &[]).repeat(16_000)].concat();
    let relays = relay_forw(
        0,
        Ipv6Addr::UNSPECIFIED,
        client.address,
        &[],
        &option(RELAY_MESSAGE, &[12; 60_000]),
    );
    for bytes in [one, many, vec![0; most], vec![SOLICIT; most], relays] {
        assert_discarded(&site, &client, "too-long", &bytes);
    }
    // The most that is looked at, and one byte more.
    let of_size = |size: usize| [valid.clone(), option(9999, &vec![7; size - valid.len() - 4])].concat();
    assert_discarded(&site, &client, "too-long", &of_size(8193));
    client.send(&of_size(8192));
    client.receive().ia(1).leased();
    standing.assert_unharmed(&mut site);
}

#[test]
fn messages_that_are_cut_off_anywhere_harm_nobody() {
    let mut site = plain();
    let standing = Standing::of(&mut site);
    let client = site.client();
    let ias = [
        ia_na(1, &[standing.leased]),
        ia_pd_hint(2, Some(64)),
        Client::everything(),
    ];
    let relayed = |inner: &[u8]| relay_forw(0, Ipv6Addr::UNSPECIFIED, client.address, &[option(18, b"port")], inner);
    let before = site.counts();
    let mut sent = 0;
    for kind in KINDS {
        let options = [client.id(), client.server_id(), ias.concat()];
        let whole = message(kind, client.xid(), &options);
        for whole in [relayed(&whole), whole] {
            for (length, next) in (0..whole.len()).zip(1..) {
                client.send(&whole[..length]);
                sent += 1;
                if next % BURST == 0 {
                    settle(&client);
                }
            }
        }
    }
    settle(&client);
    let after = site.counts();
    let discarded: u64 = after.discarded.values().sum::<u64>() - before.discarded.values().sum::<u64>();
    // Some end where an option does, and are whole messages; all the others are malformed.
    assert!(discarded > sent / 2, "{discarded} of {sent} were discarded");
    standing.assert_unharmed(&mut site);
}

#[test]
fn the_address_of_another_cannot_be_taken_renewed_released_or_declined() {
    let mut site = plain();
    let standing = Standing::of(&mut site);
    let forger = site.client();
    let own = forger.lease(1);
    for kind in KINDS {
        let server = if matches!(kind, REQUEST | RENEW | RELEASE | DECLINE) {
            forger.server_id()
        } else {
            Vec::new()
        };
        for (iaid, beside) in [(1, None), (2, None), (1, Some(own))] {
            let addresses: Vec<_> = beside.into_iter().chain([standing.leased]).collect();
            let answer = forger.ask(kind, &[server.clone(), ia_na(iaid, &addresses)]);
            let got = |address: &Ipv6Addr| {
                answer
                    .ias()
                    .iter()
                    .any(|ia| ia.addresses.iter().any(|one| one.ip == *address && one.valid > 0))
            };
            assert!(!got(&standing.leased), "{kind}: {answer:?}");
        }
    }
    standing.assert_unharmed(&mut site);
}

/// Mutations of valid messages. `CONFORMANCE_SEED` repeats a run.
#[test]
fn mutated_messages_harm_nobody() {
    const DATAGRAMS: usize = 5000;
    let mut site = Site::start(POOL, "rapid_commit = true");
    let standing = Standing::of(&mut site);
    let stranger = site.client();
    let seed = std::env::var("CONFORMANCE_SEED").ok().map(|seed| seed.parse().unwrap());
    let seed = seed.unwrap_or_else(|| getrandom::u64().unwrap());
    println!("CONFORMANCE_SEED={seed}");
    let mut random = Random(seed);
    let server = stranger.server_id();
    for number in 1..=DATAGRAMS {
        let mut bytes = valid_message(&mut random, &stranger, &server, standing.leased);
        for _ in 0..=random.below(4) {
            mutate(&mut random, &mut bytes);
        }
        stranger.send(&bytes);
        if number % BURST == 0 {
            settle(&stranger);
        }
    }
    settle(&stranger);
    standing.assert_unharmed(&mut site);
}

/// Waits until the server has read everything, and throws its answers away.
fn settle(client: &Client) {
    let xid = client.xid();
    client.send(&message(INFORMATION_REQUEST, xid, &[client.id()]));
    while receive(&client.socket).0.get(1..4) != Some(&xid[..]) {}
}

/// A message of a stranger about somebody's address, direct or relayed.
fn valid_message(random: &mut Random, stranger: &Client, server: &[u8], address: Ipv6Addr) -> Vec<u8> {
    let kind = KINDS[random.below(KINDS.len())];
    let duid = [&stranger.duid[..], &[u8::try_from(random.below(64)).unwrap()]].concat();
    let named = matches!(kind, REQUEST | RENEW | RELEASE | DECLINE);
    let server = if named { server.to_vec() } else { Vec::new() };
    let ias = [
        ia_na(1, &[address]),
        ia_pd_hint(1, Some(60)),
        option(14, &[]),
        Client::everything(),
    ]
    .concat();
    let inner = message(kind, stranger.xid(), &[option(1, &duid), server, ias]);
    if random.below(4) == 0 {
        relay_forw(
            0,
            Ipv6Addr::UNSPECIFIED,
            stranger.address,
            &[option(18, b"port")],
            &inner,
        )
    } else {
        inner
    }
}

/// One fault: a byte changed, bytes taken out, put in or doubled, or the end cut off.
fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    let end = (at + random.below(24)).min(bytes.len());
    match random.below(6) {
        0 => bytes[at] = random.byte(),
        1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes[at] = [0, 1, 0x7f, 0xff][random.below(4)],
        3 => drop(bytes.drain(at..end)),
        4 => {
            let doubled = bytes[at..end].to_vec();
            bytes.splice(at..at, doubled);
        }
        _ => bytes.truncate(at),
    }
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}
