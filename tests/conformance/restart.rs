//! What outlasts the daemon: row 24, and bindings whose reply was never sent.

use crate::site::{POOL, Site};
use crate::wire::{REQUEST, ia_na, message};

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
        let again = site.client_with(&client.duid);
        assert_eq!(again.request(1, &[offered]).leased().ip, offered);
        assert_eq!(site.leases_of(&again), [(offered, "active".to_owned())]);
    }
}
