//! What can be changed: instances are destroyed, hooks hand over.

use std::collections::BTreeMap;

use orchestrator::model::{LeaseState, Phase, Timestamp};
use orchestrator::source::dnsmasq::{DnsmasqEvent, HookCall};
use orchestrator::store::InstanceUpdate;

use serde_json::json;

use crate::daemon::{Daemon, LINK};
use crate::http::{ask, ask_with};

#[tokio::test]
async fn a_destroyed_instance_is_on_its_way_out() {
    let daemon = Daemon::start().await;
    let instance = daemon.instance(1, [1; 6]).await;
    for place in [&daemon.tcp, &daemon.unix] {
        // Asked again, it says the same.
        let answer = ask(place, "DELETE", "/v1/instances/0101").await;
        assert_eq!(answer.status, 202);
        let gone = answer.json();
        assert_eq!(
            (&gone["id"], &gone["phase"]),
            (&"010101010101".into(), &"removing".into())
        );
        assert_eq!(gone["hostname"], "client-1");
    }
    let client = instance.client().unwrap();
    let holding = daemon.store.holding(client).await.unwrap().unwrap();
    assert!(!holding.client.wants_instance);
    assert_eq!(holding.active_leases.len(), 1);
}

#[tokio::test]
async fn its_lease_is_freed_when_asked_for() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    assert_eq!(
        ask(&daemon.tcp, "DELETE", "/v1/instances/010101010101?release=true")
            .await
            .status,
        202
    );
    assert_eq!(
        daemon.store.leases_of_link(LINK).await.unwrap()[0].state,
        LeaseState::Released
    );
}

#[tokio::test]
async fn no_lease_is_freed_through_an_instance_that_is_gone() {
    let daemon = Daemon::start().await;
    let gone = daemon.instance(1, [1; 6]).await;
    ask(&daemon.unix, "DELETE", "/v1/instances/010101010101").await;
    let removed = InstanceUpdate {
        phase: Phase::Removed,
        reason: None,
        attempts: 0,
        due: None,
        references: None,
        ready: None,
        kept_until: None,
        reset: None,
        at: Timestamp(1_800_000_001_000),
    };
    assert!(daemon.store.update_instance(gone.id, removed, None).await.unwrap());
    let path = "/v1/instances/010101010101?release=true";
    for candidates in [json!(null), json!(["020202020202"])] {
        for place in [&daemon.tcp, &daemon.unix] {
            let answer = ask(place, "DELETE", path).await;
            assert_eq!(answer.problem(), (409, "instance-gone".to_owned()));
            assert_eq!(answer.json().get("candidates").cloned().unwrap_or_default(), candidates);
        }
        if candidates.is_null() {
            // The client comes back, and gets another one.
            daemon.instance(1, [2; 6]).await;
        }
    }
    let answer = ask(&daemon.unix, "DELETE", "/v1/instances/010101010101").await;
    assert_eq!((answer.status, &answer.json()["phase"]), (200, &json!("removed")));
    assert_eq!(
        daemon.store.leases_of_link(LINK).await.unwrap()[0].state,
        LeaseState::Active
    );
    let present = daemon.store.situation(&gone.key()).await.unwrap().unwrap();
    assert_eq!(present.instance.unwrap().phase, Phase::Pending);
    assert!(present.holding.unwrap().client.wants_instance);
}

#[tokio::test]
async fn what_is_not_there_cannot_be_destroyed() {
    let daemon = Daemon::start().await;
    let answer = ask(&daemon.unix, "DELETE", "/v1/instances/010101010101").await;
    assert_eq!(answer.problem(), (404, "no-such-instance".to_owned()));
}

#[tokio::test]
async fn a_client_is_told_to_ask_again_where_it_accepts_that() {
    let daemon = Daemon::start().await;
    let client = daemon.client(1).await;
    let path = format!("/v1/clients/{client}/reconfigure");
    for query in ["", "?message=renew"] {
        let answer = ask(&daemon.tcp, "POST", &format!("{path}{query}")).await;
        assert_eq!(answer.status, 202);
        let expected = json!({"client": client, "message": "renew", "address": "fe80::1", "relayed": false});
        assert_eq!(answer.json(), expected);
    }
    for (path, status, code) in [
        (format!("{path}?message=rebind"), 409, "not-accepted"),
        (format!("{path}?message=information-request"), 503, "too-many"),
        (format!("{path}?message=solicit"), 400, "bad-parameter"),
        ("/v1/clients/ffffffffffff/reconfigure".to_owned(), 404, "no-such-client"),
    ] {
        let answer = ask(&daemon.unix, "POST", &path).await;
        assert_eq!(answer.problem(), (status, code.to_owned()), "{path}");
    }
}

pub(crate) fn dnsmasq_event(interface: &str) -> Vec<u8> {
    let args = ["add", "00:03:00:01:02:00:5e:10:00:01", "fd39::1:1", "laptop"].map(str::to_owned);
    let env = [
        ("DNSMASQ_IAID", "7"),
        ("DNSMASQ_SERVER_DUID", "00:01:00:01:2c:00:00:00:02:00:5e:10:00:00"),
        ("DNSMASQ_INTERFACE", interface),
        ("DNSMASQ_LEASE_EXPIRES", "1900000000"),
        ("DNSMASQ_TIME_REMAINING", "3600"),
    ];
    let env: BTreeMap<_, _> = env
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    match DnsmasqEvent::read(&args, &env, Timestamp::wall()).expect("an event") {
        HookCall::Event(event) => serde_json::to_vec(&event).expect("JSON"),
        HookCall::Ignored(why) => panic!("ignored: {why}"),
    }
}

#[tokio::test]
async fn dnsmasq_is_heard_on_the_unix_socket() {
    let daemon = Daemon::start().await;
    let event = dnsmasq_event(LINK);
    let answer = ask_with(&daemon.unix, "POST", "/v1/hooks/dnsmasq", "", &event).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    let lease = &daemon.store.leases_of_link(LINK).await.unwrap()[0];
    assert_eq!((lease.state, lease.iaid.0), (LeaseState::Active, 7));
    let foreign = ask_with(&daemon.unix, "POST", "/v1/hooks/dnsmasq", "", &dnsmasq_event("wlan0")).await;
    assert_eq!(foreign.problem(), (422, "refused".to_owned()));
}

#[tokio::test]
async fn dnsmasq_is_not_heard_on_loopback() {
    let daemon = Daemon::start().await;
    let answer = ask_with(&daemon.tcp, "POST", "/v1/hooks/dnsmasq", "", &dnsmasq_event(LINK)).await;
    assert_eq!(answer.problem(), (403, "unix-socket-only".to_owned()));
    assert!(daemon.store.leases_of_link(LINK).await.unwrap().is_empty());
}

#[tokio::test]
async fn settings_are_read_again_and_what_became_other_is_told() {
    let daemon = Daemon::start().await;
    *daemon.written.lock().unwrap() = "[log]\nlevel = \"debug\"\nformat = \"json\"".to_owned();
    let answer = ask(&daemon.unix, "POST", "/v1/settings/reload").await;
    assert_eq!(answer.status, 200);
    let level = serde_json::json!({"key": "log.level", "effect": "changed"});
    let format = serde_json::json!({"key": "log.format", "effect": "needs-restart"});
    assert_eq!(answer.json()["changes"], serde_json::json!([level, format]));
    assert_eq!(answer.json()["loaded"], "2027-01-15T08:00:00.000Z");
    // Asked again, only what waits for a restart is told.
    let answer = ask(&daemon.tcp, "POST", "/v1/settings/reload").await;
    assert_eq!(answer.json()["changes"], serde_json::json!([format]));
}

#[tokio::test]
async fn wrong_settings_are_refused_with_all_that_is_wrong() {
    let daemon = Daemon::start().await;
    *daemon.written.lock().unwrap() = "[log]\nlevel = \"loud\"\n[stoer]".to_owned();
    let answer = ask(&daemon.unix, "POST", "/v1/settings/reload").await;
    assert_eq!(answer.problem(), (422, "settings-wrong".to_owned()));
    let faults = answer.json()["faults"].clone();
    assert!(faults[0].as_str().unwrap().starts_with("log.level: "), "{faults}");
    assert_eq!(
        faults[1],
        "stoer: is not a key that is known here; did you mean \"store\"?"
    );
    assert_eq!(faults.as_array().unwrap().len(), 2);
}
