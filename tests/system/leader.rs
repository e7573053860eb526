//! Two daemons on one database: the one that started last leads, the other one ends.

use orchestrator_lab::{Dhclient, Lab, Postgres};

use crate::site::{PATIENCE, Plan, Site};

#[test]
fn a_daemon_that_hung_while_another_took_the_lead_ends_and_writes_nothing() {
    let postgres = Postgres::start(&Lab::new().unwrap()).unwrap();
    let plan = Plan {
        store: Some(postgres.database().unwrap()),
        template: None,
        ..Plan::default()
    };
    let mut first = Site::start(&plan);
    let machine = first.machine("client");
    let leased = Dhclient::boot(&machine, "eth0").unwrap().address(PATIENCE).unwrap();
    first.daemon.program().freeze().unwrap();
    let second = Site::start(&plan);
    assert_eq!(second.lease(leased).unwrap()["state"], "active");
    first.daemon.program().thaw().unwrap();
    let ended = first.daemon.program().wait(PATIENCE).unwrap();
    assert_eq!(ended.code(), Some(6), "{}", first.daemon.log());
    let log = first.daemon.log();
    assert!(
        log.contains("another daemon leads since") && log.contains("store-deposed"),
        "{log}"
    );

    let machine = second.machine("other");
    let other = Dhclient::boot(&machine, "eth0").unwrap().address(PATIENCE).unwrap();
    assert_ne!(other, leased);
    assert_eq!(second.lease(other).unwrap()["state"], "active");
    // Whoever starts the first one again has it lead: that is for an operator to do.
    first.daemon.resume().unwrap();
    first.daemon.wait_until_ready(PATIENCE).unwrap();
    assert_eq!(first.lease(other).unwrap()["state"], "active");
}
