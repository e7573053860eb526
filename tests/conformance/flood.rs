//! Strangers who invent a DUID with each message.

use std::collections::HashSet;

use orchestrator_wire::{CLIENT_ID, Ia, Message, NO_ADDRS_AVAIL, REQUEST, SOLICIT, ia_na, message, option};

use crate::client::{Client, receive};
use crate::hostile::Standing;
use crate::site::{POOL, PREFIX, Site};

/// How many DUIDs a stranger invents.
const INVENTED: u32 = 20_000;
/// How many of its messages are under way at once: they fit into a socket's buffer.
const BURST: u32 = 100;

/// The message of one of many clients.
fn invented(stranger: &Client, kind: u8, server: &[u8], number: u32) -> Vec<u8> {
    let duid = [&[0, 4, 0xf0, 0x0d][..], &number.to_be_bytes()].concat();
    let options = [option(CLIENT_ID, &duid), server.to_vec(), ia_na(number, &[])];
    message(kind, stranger.xid(), &options)
}

/// Sends a message of each of many clients, and takes their answers.
fn flood(stranger: &Client, kind: u8, mut take: impl FnMut(Ia)) {
    let server = if kind == REQUEST {
        stranger.server_id()
    } else {
        Vec::new()
    };
    for first in (0..INVENTED).step_by(BURST as usize) {
        (first..first + BURST).for_each(|number| stranger.send(&invented(stranger, kind, &server, number)));
        for _ in 0..BURST {
            let mut ias = Message::parse(&receive(&stranger.socket).0).ias();
            take(ias.pop().expect("an identity association"));
        }
    }
}

#[test]
fn a_flood_of_solicits_with_invented_duids_costs_nothing() {
    let mut site = Site::start(POOL, "");
    let standing = Standing::of(&mut site);
    flood(&site.client(), SOLICIT, |ia| assert_eq!(ia.addresses.len(), 1));
    assert_eq!(site.leases().len(), 1, "an offer is no lease");
    standing.assert_unharmed(&mut site);
}

/// A link that admits new clients at any rate, so that other bounds are seen.
const ALL_ADMITTED: &str = "limits = { identities = \"none\" }";

#[test]
fn a_flood_of_requests_with_invented_duids_is_bounded() {
    // What names take for each client is no part of the protocol.
    let mut site = Site::start(POOL, &format!("dns = false\n{ALL_ADMITTED}"));
    let standing = Standing::of(&mut site);
    let mut leased = HashSet::new();
    flood(&site.client(), REQUEST, |ia| {
        assert!(leased.insert(ia.leased().ip), "{ia:?} is somebody else's")
    });
    standing.assert_unharmed(&mut site);
}

#[test]
fn a_flood_of_requests_takes_no_more_than_the_pool() {
    // 256 addresses, of which one is the victim's.
    let site = Site::start(&format!("{PREFIX}::1:0/120"), "");
    let victim = site.client();
    let kept = victim.lease(1);
    let (mut leased, mut refused) = (HashSet::from([kept]), 0);
    flood(&site.client(), REQUEST, |ia| {
        if ia.status == Some(NO_ADDRS_AVAIL) {
            refused += 1;
        } else {
            assert!(leased.insert(ia.leased().ip), "{ia:?} is somebody else's");
        }
    });
    assert_eq!((leased.len(), refused), (256, INVENTED - 255));
    assert_eq!(victim.lease(1), kept);
    assert!(site.holds(&victim, kept));
}

#[test]
fn a_flood_from_one_place_leaves_little_behind() {
    // At the rate that is allowed unless the settings say otherwise.
    let mut site = Site::start(POOL, "client_rate = 50");
    let standing = Standing::of(&mut site);
    let stranger = site.client();
    let server = stranger.server_id();
    (0..INVENTED).for_each(|number| stranger.send(&invented(&stranger, REQUEST, &server, number)));
    // There may be no room in the server's socket until it has caught up.
    site.client().insist().ia(1).leased();
    standing.assert_unharmed(&mut site);
    assert!(site.counts().discarded["too-often"] > 0);
}
