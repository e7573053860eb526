//! A PostgreSQL server of the lab's own.

use std::process::Output;

use orchestrator_lab::{Lab, Postgres};

/// Runs a statement the way a client would; URLs of the lab are URLs of PostgreSQL's own programs as well.
fn query(lab: &Lab, url: &str, statement: &str) -> Output {
    lab.command("psql").args(["-qtAc", statement, url]).output().unwrap()
}

#[test]
fn databases_are_empty_and_apart() {
    let postgres = Postgres::shared();
    let lab = Lab::new().unwrap();
    let (one, other) = (postgres.database().unwrap(), postgres.database().unwrap());
    assert!(query(&lab, &one, "create table noun (id bigint)").status.success());
    assert!(query(&lab, &one, "select * from noun").status.success());
    assert!(!query(&lab, &other, "select * from noun").status.success());
}

#[test]
fn what_is_committed_outlives_a_restart() {
    let lab = Lab::new().unwrap();
    let mut postgres = Postgres::start(&lab).unwrap();
    let url = postgres.database().unwrap();
    assert!(
        query(&lab, &url, "create table noun (id bigint); insert into noun values (7)")
            .status
            .success()
    );
    postgres.stop().unwrap();
    assert!(!query(&lab, &url, "select 1").status.success());
    postgres.resume().unwrap();
    assert_eq!(query(&lab, &url, "select id from noun").stdout, b"7\n");
}
