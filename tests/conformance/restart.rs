//! What outlasts the daemon: row 24, and bindings whose reply was never sent.

use std::fs;

use orchestrator_lab::wait_for;
use orchestrator_wire::{RENEW, REQUEST, ia_na, ia_pd, ia_pd_hint, message};
use serde_json::Value;

use crate::client::Client;
use crate::prefix::DELEGATION;
use crate::site::{PATIENCE, POOL, Site};

#[test]
fn row_24_the_server_is_the_same_after_a_restart_and_so_are_the_addresses() {
    let mut site = Site::start(POOL, "");
    let duids = [crate::site::new_duid(), crate::site::new_duid()];
    let [leased, offered] = [
        site.client_with(&duids[0]).lease(1),
        site.client_with(&duids[1]).solicit(1, &[]).leased().ip,
    ];
    let before = site.client().server_id();
    for kill in [false, true] {
        if kill {
            site.daemon.kill9();
        } else {
            site.daemon.stop().unwrap();
        }
        site.resume();
        assert_eq!(site.client().server_id(), before);
        assert_eq!(site.client_with(&duids[0]).solicit(1, &[]).leased().ip, leased);
        // An address that was only offered is not remembered, and is the same all the same.
        assert_eq!(site.client_with(&duids[1]).solicit(1, &[]).leased().ip, offered);
    }
}

#[test]
fn row_24_the_server_is_the_same_without_its_database_and_so_are_the_addresses() {
    let mut site = Site::start(POOL, DELEGATION);
    let before = site.client().server_id();
    let clients: Vec<_> = (0..20).map(|_| site.client()).collect();
    let lease = |client: &Client| {
        let ias = [ia_na(1, &[]), ia_pd_hint(2, None)];
        let answer = client.ask_server(REQUEST, &ias);
        (answer.ia(1).leased().ip, answer.ia_pd(2).delegated().text)
    };
    let leased: Vec<_> = clients.iter().map(lease).collect();
    for kill in [false, true] {
        if kill {
            site.daemon.kill9();
        } else {
            site.daemon.stop().unwrap();
        }
        let lost = fs::read_dir(site.daemon.place())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let lost: Vec<_> = lost
            .filter(|path| path.to_string_lossy().contains("orchestrator.db"))
            .collect();
        assert!(!lost.is_empty());
        lost.iter().for_each(|path| fs::remove_file(path).unwrap());
        site.resume();
        assert_eq!(site.leases(), [] as [Value; 0]);
        assert_eq!(site.client().server_id(), before);
        for (client, leased) in clients.iter().zip(&leased) {
            assert_eq!(
                &lease(&site.client_with(&client.duid)),
                leased,
                "as a client that begins anew"
            );
        }
    }
    // And as one that goes on.
    site.daemon.kill9();
    fs::remove_file(site.daemon.place().join("orchestrator.db")).unwrap();
    let _ = fs::remove_file(site.daemon.place().join("orchestrator.db-wal"));
    site.resume();
    for (client, (address, prefix)) in clients.iter().zip(&leased) {
        let answer = client.ask_server(RENEW, &[ia_na(1, &[*address]), ia_pd(2, &[prefix])]);
        assert_eq!(answer.ia(1).leased().ip, *address);
        assert_eq!(&answer.ia_pd(2).delegated().text, prefix);
    }
}

#[test]
fn a_reply_that_never_left_a_server_that_crashed_is_made_up_for_by_the_next() {
    let mut site = Site::start(POOL, "");
    let client = site.client();
    let offered = client.solicit(1, &[]).leased().ip;
    let request = client.about(REQUEST, &[ia_na(1, &[offered])]);
    // What is sent to the client goes nowhere.
    let neighbor = format!("{} dev br0", client.address);
    let nowhere = format!("neighbor replace {neighbor} lladdr 02:00:5e:10:00:99 nud permanent");
    site.host.ip(&nowhere).unwrap();
    client.send(&request);
    wait_for("the lease to be recorded", PATIENCE, || {
        site.holds(&client, offered).then_some(())
    });
    site.daemon.kill9();
    site.host.ip(&format!("neighbor del {neighbor}")).unwrap();
    site.resume();
    let late = site.client();
    assert_ne!(late.lease(1), offered);
    // The very same message again; no other answer has come.
    client.send(&request);
    let answer = client.receive();
    assert_eq!((&answer.xid[..], answer.ia(1).leased().ip), (&request[1..4], offered));
    assert_eq!(site.leases_of(&client), [(offered, "active".to_owned())]);
    client.socket.set_nonblocking(true).unwrap();
    assert!(client.socket.recv(&mut [0; 1]).is_err(), "a second answer");
}

#[test]
fn a_crash_between_commit_and_reply_leaves_the_client_its_one_address() {
    let mut site = Site::start(POOL, "");
    for _ in 0..5 {
        let client = site.client();
        let offered = client.solicit(1, &[]).leased().ip;
        client.send(&message(
            REQUEST,
            client.xid(),
            &[client.id(), client.server_id(), ia_na(1, &[offered])],
        ));
        site.daemon.kill9();
        site.resume();
        // Whether the reply is lost or not, what was recorded is what the client was offered, or nothing.
        let recorded = site.leases_of(&client);
        assert!(
            recorded.is_empty() || recorded == [(offered, "active".to_owned())],
            "{recorded:?}"
        );
        let (address, duid) = (client.address, client.duid.clone());
        drop(client);
        let again = Client::at(&site.machine, address, duid);
        assert_eq!(again.request(1, &[offered]).leased().ip, offered);
        assert_eq!(site.leases_of(&again), [(offered, "active".to_owned())]);
    }
}
