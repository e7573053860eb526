//! Reconfigure and its key: rows 69 and 70.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use orchestrator_dhcp6::{Bindings, Duid, Inbound, KeyHolder, RECONFIGURE_ATTEMPTS, RECONFIGURE_TIMEOUT, Reconfigure};
use orchestrator_wire::*;

use crate::lab::{Lab, SERVER_DUID, XID, client, client_source, server_id};

fn accepting() -> Vec<Vec<u8>> {
    vec![client(1), ia_na(1, &[]), option(RECONFIGURE_ACCEPT, &[])]
}

fn lab() -> Lab {
    let mut lab = Lab::new();
    lab.link.reconfigure = true;
    lab
}

/// The replay number, the type and the value of an authentication option of the reconfigure key protocol.
fn authentication(read: &Message) -> Option<(u64, u8, Vec<u8>)> {
    let body = read.options.get(AUTHENTICATION)?;
    assert_eq!((body.len(), &body[..3]), (28, &[3, 1, 0][..]));
    Some((
        u64::from_be_bytes(body[3..11].try_into().unwrap()),
        body[11],
        body[12..].to_vec(),
    ))
}

fn key(lab: &mut Lab) -> Vec<u8> {
    let read = lab.say(REQUEST, &[&accepting()[..], &[server_id()]].concat());
    authentication(&read).unwrap().2
}

#[test]
fn row_69_only_clients_that_accept_are_told() {
    let mut lab = lab();
    assert_eq!(
        lab.say(SOLICIT, &accepting()).options.get(RECONFIGURE_ACCEPT),
        Some(&[][..])
    );
    let plain = lab.say(REQUEST, &[client(1), server_id(), ia_na(1, &[])]);
    assert_eq!(
        (plain.options.get(RECONFIGURE_ACCEPT), plain.options.get(AUTHENTICATION)),
        (None, None)
    );
    assert!(lab.ask(&message(SOLICIT, XID, &accepting())).unwrap().reconfigurable);
    assert!(!lab.ask(&message(SOLICIT, XID, &[client(1)])).unwrap().reconfigurable);
    lab.link.reconfigure = false;
    let off = lab.say(REQUEST, &[&accepting()[..], &[server_id()]].concat());
    assert_eq!(
        (off.options.get(RECONFIGURE_ACCEPT), off.options.get(AUTHENTICATION)),
        (None, None)
    );
    assert!(!lab.ask(&message(SOLICIT, XID, &accepting())).unwrap().reconfigurable);
}

#[test]
fn row_69_what_a_reconfigure_is_made_of() {
    let lab = lab();
    let client = Duid::new(duid(1)).unwrap();
    for (what, kind) in [
        (Reconfigure::Renew, RENEW),
        (Reconfigure::Rebind, REBIND),
        (Reconfigure::InformationRequest, INFORMATION_REQUEST),
    ] {
        let read = Message::parse(&lab.server.reconfigure(&client, what, lab.now).unwrap());
        assert_eq!((read.kind, read.xid), (RECONFIGURE, [0; 3]));
        let mut codes: Vec<u16> = read.options.iter().map(|option| option.0).collect();
        codes.sort();
        assert_eq!(codes, [CLIENT_ID, SERVER_ID, AUTHENTICATION, 19]);
        assert_eq!(read.options.get(19), Some(&[kind][..]));
        assert_eq!(read.options.get(CLIENT_ID), Some(&duid(1)[..]));
        assert_eq!(
            read.options.get(SERVER_ID),
            Some(SERVER_DUID.parse::<Duid>().unwrap().as_bytes())
        );
    }
    assert_eq!((RECONFIGURE_TIMEOUT.as_secs(), RECONFIGURE_ATTEMPTS), (2, 8));
}

#[test]
fn row_70_the_key_comes_with_the_first_reply() {
    let mut lab = lab();
    assert_eq!(lab.say(SOLICIT, &accepting()).options.get(AUTHENTICATION), None);
    let key = key(&mut lab);
    let renewed = lab.say(RENEW, &[&accepting()[..], &[server_id()]].concat());
    assert_eq!(
        (
            renewed.options.get(RECONFIGURE_ACCEPT),
            renewed.options.get(AUTHENTICATION)
        ),
        (Some(&[][..]), None)
    );
    lab.link.rapid_commit = true;
    let rapid = lab.say(SOLICIT, &[&accepting()[..], &[option(RAPID_COMMIT, &[])]].concat());
    assert_eq!(authentication(&rapid).unwrap(), (lab.now as u64, 1, key.clone()));
    let informed = lab.say(INFORMATION_REQUEST, &[client(1), option(RECONFIGURE_ACCEPT, &[])]);
    assert_eq!(authentication(&informed).unwrap().2, key);
    let other = lab.say(INFORMATION_REQUEST, &[client(2), option(RECONFIGURE_ACCEPT, &[])]);
    assert_ne!(authentication(&other).unwrap().2, key);
    // Nobody can be signed for who does not say who it is.
    assert_eq!(
        lab.say(INFORMATION_REQUEST, &[option(RECONFIGURE_ACCEPT, &[])])
            .options
            .get(AUTHENTICATION),
        None
    );
}

/// A client that accepts it only from its Renew or Rebind on, or that lost the Reply with the key.
#[test]
fn row_70_the_key_comes_with_a_renewal_to_who_does_not_hold_it() {
    let mut lab = lab();
    let leased = lab.lease(1);
    for kind in [RENEW, REBIND] {
        let server = (kind == RENEW).then(server_id);
        let options = [&[client(1), ia_na(1, &[leased])][..], server.as_slice()].concat();
        for (holds, accepts, given) in [(false, true, true), (true, true, false), (false, false, false)] {
            let accept = accepts.then(|| option(RECONFIGURE_ACCEPT, &[]));
            let datagram = message(kind, XID, &[&options[..], accept.as_slice()].concat());
            let inbound = Inbound {
                datagram: &datagram,
                source: client_source(),
                multicast: true,
            };
            let holds_key = |holder: &KeyHolder<'_>| {
                assert_eq!(
                    (holder.duid.as_bytes(), holder.transaction),
                    (&duid(1)[..], [0xab, 0xcd, 0xef])
                );
                assert_eq!(holder.address, *client_source().ip());
                holds
            };
            let answer = lab
                .server
                .handle_knowing(&lab.link, &lab.bindings, &inbound, lab.now, &holds_key);
            let answer = answer.unwrap();
            assert_eq!(answer.key_given.is_some(), given, "{kind} {holds} {accepts}");
            assert_eq!(authentication(&Message::parse(&answer.datagram)).is_some(), given);
        }
    }
}

#[test]
fn row_70_the_key_outlives_a_restart() {
    let mut lab = lab();
    let before = key(&mut lab);
    lab.bindings = Bindings::new();
    assert_eq!(key(&mut lab), before);
}

#[test]
fn row_70_signed_with_zeros_in_the_place_of_the_signature() {
    let mut lab = lab();
    let key = key(&mut lab);
    let client = Duid::new(duid(1)).unwrap();
    let mut datagram = lab.server.reconfigure(&client, Reconfigure::Renew, lab.now).unwrap();
    let (_, what, digest) = authentication(&Message::parse(&datagram)).unwrap();
    assert_eq!(what, 2);
    let at = datagram.windows(16).position(|window| window == digest).unwrap();
    datagram[at..at + 16].fill(0);
    let mut mac = Hmac::<Md5>::new_from_slice(&key).unwrap();
    mac.update(&datagram);
    assert_eq!(mac.finalize().into_bytes()[..], digest[..]);
}

#[test]
fn row_70_the_replay_number_rises_with_time() {
    let mut lab = lab();
    let client = Duid::new(duid(1)).unwrap();
    let mut last = authentication(&lab.say(REQUEST, &[&accepting()[..], &[server_id()]].concat()))
        .unwrap()
        .0;
    for later in 1..10 {
        let datagram = lab
            .server
            .reconfigure(&client, Reconfigure::Renew, lab.now + later)
            .unwrap();
        let number = authentication(&Message::parse(&datagram)).unwrap().0;
        assert!(number > last);
        last = number;
    }
}
