//! Strangers who invent a DUID with each message.

use std::collections::HashSet;

use crate::client::{Client, receive};
use crate::hostile::Standing;
use crate::site::{POOL, PREFIX, Site};
use crate::wire::{CLIENT_ID, Ia, Message, NO_ADDRS_AVAIL, REQUEST, SOLICIT, ia_na, message, option};

/// How many DUIDs a stranger invents.
const INVENTED: u32 = 20_000;
/// How many of its messages are under way at once: they fit into a socket's buffer.
const BURST: u32 = 100;

/// Sends a message of each of many clients, and takes their answers.
fn flood(stranger: &Client, kind: u8, mut take: impl FnMut(Ia)) {
    let server = if kind == REQUEST {
        stranger.server_id()
    } else {
        Vec::new()
    };
    for first in (0..INVENTED).step_by(BURST as usize) {
        for number in first..first + BURST {
            let duid = [&[0, 4, 0xf0, 0x0d][..], &number.to_be_bytes()].concat();
            let options = [option(CLIENT_ID, &duid), server.clone(), ia_na(number, &[])];
            stranger.send(&message(kind, stranger.xid(), &options));
        }
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

#[test]
fn a_flood_of_requests_with_invented_duids_is_bounded() {
    let mut site = Site::start(POOL, "");
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
