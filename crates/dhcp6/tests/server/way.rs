//! Which messages are answered at all, and what every answer has: rows 1 to 23 and 57 to 72.

use std::net::{Ipv6Addr, SocketAddrV6};

use orchestrator_dhcp6::{Answer, Discard, Inbound};
use orchestrator_wire::*;

use crate::lab::{Lab, XID, address, client, client_source, other_server_id, server_id};

#[test]
fn row_01_solicit_is_advertised_with_its_transaction() {
    let read = Lab::new().say(SOLICIT, &[client(1), ia_na(1, &[])]);
    assert_eq!((read.kind, read.xid), (ADVERTISE, [0xab, 0xcd, 0xef]));
}

#[test]
fn row_02_answers_name_the_server_and_echo_the_client() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    for (kind, named) in [
        (SOLICIT, false),
        (REQUEST, true),
        (CONFIRM, false),
        (RENEW, true),
        (REBIND, false),
        (DECLINE, true),
    ] {
        let server = if named { server_id() } else { Vec::new() };
        let read = lab.say(kind, &[client(1), server, ia_na(1, &[leased])]);
        assert_eq!(option(SERVER_ID, read.options.get(SERVER_ID).unwrap()), server_id());
        assert_eq!(read.options.get(CLIENT_ID), Some(&duid(1)[..]));
    }
}

#[test]
fn row_03_preference_only_when_set() {
    let mut lab = Lab::new();
    let solicit = [client(1), ia_na(1, &[])];
    assert_eq!(lab.say(SOLICIT, &solicit).options.get(PREFERENCE), None);
    lab.link.preference = Some(255);
    assert_eq!(lab.say(SOLICIT, &solicit).options.get(PREFERENCE), Some(&[255][..]));
    assert_eq!(
        lab.say(REQUEST, &[&solicit[..], &[server_id()]].concat())
            .options
            .get(PREFERENCE),
        None
    );
}

#[test]
fn row_04_solicit_without_client() {
    assert_eq!(Lab::new().refused(SOLICIT, &[ia_na(1, &[])]), "no-client-id");
}

#[test]
fn row_05_solicit_with_server() {
    assert_eq!(
        Lab::new().refused(SOLICIT, &[client(1), server_id(), ia_na(1, &[])]),
        "server-id"
    );
}

fn needs_both_identifiers(kind: u8) {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    let before = lab.bindings.by_address(leased).cloned();
    assert_eq!(lab.refused(kind, &[client(1), ia_na(1, &[leased])]), "no-server-id");
    assert_eq!(
        lab.refused(kind, &[client(1), other_server_id(), ia_na(1, &[leased])]),
        "other-server"
    );
    assert_eq!(lab.refused(kind, &[server_id(), ia_na(1, &[leased])]), "no-client-id");
    assert_eq!(lab.bindings.by_address(leased).cloned(), before);
    lab.say(kind, &[client(1), server_id(), ia_na(1, &[leased])]);
}

#[test]
fn row_06_07_08_request_needs_both_identifiers() {
    needs_both_identifiers(REQUEST);
}

#[test]
fn row_09_confirm_needs_client_and_no_server() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    assert_eq!(lab.refused(CONFIRM, &[ia_na(1, &[leased])]), "no-client-id");
    assert_eq!(
        lab.refused(CONFIRM, &[client(1), server_id(), ia_na(1, &[leased])]),
        "server-id"
    );
}

#[test]
fn row_10_renew_needs_both_identifiers() {
    needs_both_identifiers(RENEW);
}

#[test]
fn row_11_rebind_needs_client_and_no_server() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    assert_eq!(lab.refused(REBIND, &[ia_na(1, &[leased])]), "no-client-id");
    assert_eq!(
        lab.refused(REBIND, &[client(1), server_id(), ia_na(1, &[leased])]),
        "server-id"
    );
}

#[test]
fn row_12_decline_needs_both_identifiers() {
    needs_both_identifiers(DECLINE);
}

#[test]
fn row_13_release_needs_both_identifiers() {
    needs_both_identifiers(RELEASE);
}

#[test]
fn row_14_information_request_for_another_server() {
    let mut lab = Lab::new();
    assert_eq!(lab.refused(INFORMATION_REQUEST, &[other_server_id()]), "other-server");
    assert_eq!(lab.say(INFORMATION_REQUEST, &[server_id()]).kind, REPLY);
}

#[test]
fn row_15_information_request_with_addresses() {
    assert_eq!(
        Lab::new().refused(INFORMATION_REQUEST, &[client(1), ia_na(1, &[])]),
        "leases-asked"
    );
}

#[test]
fn row_16_information_request_with_prefixes() {
    assert_eq!(
        Lab::new().refused(INFORMATION_REQUEST, &[client(1), ia_pd(1, &[])]),
        "leases-asked"
    );
}

#[test]
fn row_17_messages_of_servers_are_not_answered() {
    for kind in [ADVERTISE, REPLY, RECONFIGURE, RELAY_REPL] {
        assert_eq!(
            Lab::new().refused(kind, &[client(1), server_id(), ia_na(1, &[])]),
            "not-for-servers"
        );
    }
}

#[test]
fn row_18_unknown_messages_are_not_answered() {
    for kind in [0, 14, 22, 99, 200, 255] {
        assert_eq!(Lab::new().refused(kind, &[client(1), ia_na(1, &[])]), "not-for-servers");
    }
}

#[test]
fn row_19_unknown_options_do_no_harm() {
    let mut lab = Lab::new();
    let strange = [
        option(4242, b"whatever"),
        option(65_535, &[]),
        option(17, &[0, 0, 0, 9, 1, 2, 3]),
        option(16, &[0; 5]),
    ];
    let offered = lab
        .say(SOLICIT, &[&[client(1), ia_na(1, &[])][..], &strange].concat())
        .address();
    assert_eq!(lab.say(SOLICIT, &[client(1), ia_na(1, &[])]).address(), offered);
}

#[test]
fn row_20_malformed_messages_change_nothing_and_the_next_is_served() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    let before = lab.bindings.by_address(leased).cloned();
    let renew = message(RENEW, XID, &[client(1), server_id(), ia_na(1, &[leased])]);
    let mut hostile = vec![
        message(RENEW, XID, &[client(1), server_id(), option(IA_NA, &[0; 11])]),
        message(
            RENEW,
            XID,
            &[
                client(1),
                server_id(),
                ia_na(1, &[leased]),
                option(OPTION_REQUEST, &[0; 3]),
            ],
        ),
        message(RENEW, XID, &[client(1), client(1), server_id(), ia_na(1, &[leased])]),
        message(RENEW, XID, &[client(1), server_id(), server_id(), ia_na(1, &[leased])]),
        message(
            REQUEST,
            XID,
            &[client(1), server_id(), ia_na(1, &[leased]), ia_na(1, &[leased])],
        ),
        message(
            RENEW,
            XID,
            &[client(1), server_id(), ia_na(1, &[leased]), option(8, &[0])],
        ),
    ];
    // Cut anywhere but between two options. One byte behind it is the high byte of the next code, a zero, and padding.
    let whole = [4, 18, 32, renew.len()];
    hostile.extend(
        (0..renew.len())
            .filter(|cut| !whole.contains(cut) && !whole.contains(&(cut - 1.min(*cut))))
            .map(|cut| renew[..cut].to_vec()),
    );
    for datagram in hostile {
        assert_eq!(lab.send(&datagram).unwrap_err().word(), "malformed", "{datagram:02x?}");
    }
    assert_eq!(lab.bindings.by_address(leased).cloned(), before);
    assert_eq!(lab.send(&renew).unwrap().address(), leased);
}

#[test]
fn row_21_unicast_is_not_accepted() {
    let lab = Lab::new();
    let datagram = message(SOLICIT, XID, &[client(1), ia_na(1, &[])]);
    let inbound = Inbound {
        datagram: &datagram,
        source: client_source(),
        multicast: false,
    };
    assert_eq!(
        lab.server
            .handle(&lab.link, &lab.bindings, &inbound, lab.now)
            .unwrap_err()
            .word(),
        "unicast"
    );
}

#[test]
fn row_22_duids_are_opaque() {
    let mut lab = Lab::new();
    let mut leased = Vec::new();
    for duid in [
        vec![0, 1, 9],
        vec![0, 1, 9, 0],
        vec![0xff; 130],
        vec![0xff; 129],
        vec![0, 4, 1, 2, 3],
        vec![0; 3],
    ] {
        let read = lab.say(REQUEST, &[option(CLIENT_ID, &duid), server_id(), ia_na(1, &[])]);
        assert_eq!(read.options.get(CLIENT_ID), Some(&duid[..]));
        assert!(!leased.contains(&read.address()));
        leased.push(read.address());
    }
}

#[test]
fn row_23_duids_too_long_or_too_short() {
    for length in [0, 1, 2, 131, 200] {
        let read = Lab::new().refused(SOLICIT, &[option(CLIENT_ID, &vec![1; length]), ia_na(1, &[])]);
        assert_eq!(read, "malformed", "{length}");
    }
}

#[test]
fn row_25_only_link_local_sources_are_of_the_receiving_link() {
    let lab = Lab::new();
    let datagram = message(SOLICIT, XID, &[client(1), ia_na(1, &[])]);
    for source in ["2001:db8:0:2::77", "::", "::1", "ff02::1"] {
        let source = std::net::SocketAddrV6::new(source.parse().unwrap(), 546, 0, 7);
        let inbound = Inbound {
            datagram: &datagram,
            source,
            multicast: true,
        };
        let answer = lab.server.handle(&lab.link, &lab.bindings, &inbound, lab.now);
        assert_eq!(answer.unwrap_err(), Discard::NotLinkLocal(*source.ip()));
    }
}

#[test]
fn a_global_address_of_the_link_is_of_the_link_too() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    for source in [leased, address("2001:db8:0:1::77")] {
        for (kind, named) in [
            (SOLICIT, false),
            (REQUEST, true),
            (RENEW, true),
            (REBIND, false),
            (CONFIRM, false),
        ] {
            let server = if named { server_id() } else { Vec::new() };
            let datagram = message(kind, XID, &[client(1), server, ia_na(1, &[leased])]);
            let answer = from(&lab, &datagram, source, true).unwrap();
            assert_eq!((*answer.destination.ip(), answer.destination.port()), (source, 546));
        }
    }
}

/// The server's answer to a datagram from this address.
fn from(lab: &Lab, datagram: &[u8], source: Ipv6Addr, multicast: bool) -> Result<Answer, Discard> {
    let inbound = Inbound {
        datagram,
        source: SocketAddrV6::new(source, 546, 0, 7),
        multicast,
    };
    lab.server.handle(&lab.link, &lab.bindings, &inbound, lab.now)
}

#[test]
fn unicast_is_taken_from_an_address_that_the_client_holds() {
    let mut lab = Lab::new();
    let (leased, other) = (lab.lease(1), lab.lease(2));
    let about = |kind, of: u8| {
        let server = if [SOLICIT, REBIND, CONFIRM].contains(&kind) {
            Vec::new()
        } else {
            server_id()
        };
        message(kind, XID, &[client(of), server, ia_na(1, &[leased])])
    };
    for kind in [REQUEST, RENEW, RELEASE, DECLINE] {
        assert_eq!(
            from(&lab, &about(kind, 1), leased, false).unwrap().changes.len(),
            1,
            "{kind}"
        );
        for source in [
            other,
            address("2001:db8:0:1::77"),
            address("fe80::2"),
            address("2001:db8:0:2::1"),
        ] {
            let refused = from(&lab, &about(kind, 1), source, false).unwrap_err();
            assert_eq!(refused.word(), "unicast", "{kind} from {source}");
        }
        // From one's own address about another's: it holds nothing there.
        let answer = from(&lab, &about(kind, 2), other, false).unwrap();
        assert!(answer.changes.iter().all(|change| change.after.leased == other.into()));
    }
    for kind in [SOLICIT, REBIND, CONFIRM] {
        assert_eq!(
            from(&lab, &about(kind, 1), leased, false).unwrap_err().word(),
            "unicast"
        );
    }
    lab.now += 3 * crate::lab::HOUR;
    assert_eq!(
        from(&lab, &about(RENEW, 1), leased, false).unwrap_err().word(),
        "unicast"
    );
}

#[test]
fn row_59_60_no_option_of_old_in_any_answer() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    for kind in [REQUEST, RENEW, RELEASE] {
        let read = lab.say(
            kind,
            &[client(1), server_id(), ia_na(1, &[leased]), option_request(&[12, 13])],
        );
        assert_eq!(read.options.get(12), None);
        assert_ne!(read.status(), Some(5));
    }
}

#[test]
fn row_61_no_interface_id_in_a_direct_answer() {
    let read = Lab::new().say(SOLICIT, &[client(1), ia_na(1, &[]), option(18, b"port 7")]);
    assert_eq!(read.options.get(18), None);
}

#[test]
fn row_66_answers_go_to_the_clients_port_through_the_receiving_interface() {
    let lab = Lab::new();
    let datagram = message(SOLICIT, XID, &[client(1), ia_na(1, &[])]);
    // Whatever port it sent from.
    let mut source = client_source();
    source.set_port(4711);
    let inbound = Inbound {
        datagram: &datagram,
        source,
        multicast: true,
    };
    let answer = lab.server.handle(&lab.link, &lab.bindings, &inbound, lab.now).unwrap();
    assert_eq!(answer.destination, client_source());
}

#[test]
fn row_71_elapsed_time_has_no_effect() {
    let mut lab = Lab::new();
    let plain = lab.say(SOLICIT, &[client(1), ia_na(1, &[])]);
    for elapsed in [[0, 0], [0x12, 0x34], [0xff, 0xff]] {
        assert_eq!(
            lab.say(SOLICIT, &[client(1), option(8, &elapsed), ia_na(1, &[])]),
            plain
        );
    }
}
