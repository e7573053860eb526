//! Answers of an older daemon: each is read, and written again with the same keys, the same values and in the same
//! order. Keys may have been added since; none was taken away, renamed or given another meaning.

use std::fmt::Debug;

use orchestrator_api_types::{
    Client, ClientView, Condition, DnsmasqEvent, Event, Health, InstanceView, LeaseView, NewReservation, Orphan, Page,
    Problem, Readiness, ReconfigureView, Reloaded, ReservationView, SettingsView,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads what an older daemon wrote, and compares it with what is written now.
#[track_caller]
fn check<T: DeserializeOwned + Serialize + Debug>(old: &str) {
    let read: T = serde_json::from_str(old).unwrap_or_else(|fault| panic!("{fault}: {old}"));
    let new = serde_json::to_string(&read).unwrap();
    contains(
        &serde_json::from_str(&new).unwrap(),
        &serde_json::from_str(old).unwrap(),
        &new,
    );
    let keys = keys_in_order(old);
    let mut now = keys_in_order(&new);
    now.retain(|key| keys.contains(key));
    assert_eq!(now, keys, "the keys of {old} have another order in {new}");
}

#[track_caller]
fn contains(new: &Value, old: &Value, text: &str) {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            for (key, old) in old {
                let Some(new) = new.get(key) else {
                    panic!("{key} is gone from {text}")
                };
                contains(new, old, text);
            }
        }
        (Value::Array(new), Value::Array(old)) => {
            assert_eq!(new.len(), old.len(), "{text}");
            new.iter().zip(old).for_each(|(new, old)| contains(new, old, text));
        }
        _ => assert_eq!(new, old, "in {text}"),
    }
}

/// The keys of the outermost object, as they are written. No value in these texts has a quoted word and a colon.
fn keys_in_order(text: &str) -> Vec<String> {
    let (mut depth, mut keys, mut rest) = (0, Vec::new(), text);
    while let Some(at) = rest.find(['{', '}', '[', ']', '"']) {
        let (found, tail) = rest[at..].split_at(1);
        rest = tail;
        match found {
            "{" | "[" => depth += 1,
            "}" | "]" => depth -= 1,
            _ => {
                let (word, after) = rest.split_once('"').unwrap();
                if depth == 1 && after.starts_with(':') {
                    keys.push(word.to_owned());
                }
                rest = after;
            }
        }
    }
    keys
}

const CLIENT: &str = r#"{"id":"0123456789ab","link":"br0","duid":"00:03:00:01:02","link_layer":"02:00:5e:10:00:01","hostname":"host-1","class":null,"wants_instance":true,"first_seen":"2023-11-14T22:13:10.000Z","last_seen":"2023-11-14T22:13:15.000Z"}"#;

const LEASE: &str = r#"{"link":"br0","address":"fd39::1:7","client":"0123456789ab","duid":"00:03:00:01:02","iaid":7,"source":"listener","state":"active","next_hop":null,"preferred_until":"2023-11-14T23:13:20.000Z","valid_until":"never","granted":"2023-11-14T22:13:19.000Z","changed":"2023-11-14T22:13:19.000Z","hostname":null,"link_layer":null}"#;

const PREFIX: &str = r#"{"link":"br0","prefix":"fd40::/56","client":"0123456789ab","duid":"00:03:00:01:02","iaid":7,"source":"dnsmasq","state":"declined","next_hop":"fe80::1","preferred_until":"2023-11-14T23:13:20.000Z","valid_until":"2023-11-15T00:13:19.000Z","granted":"2023-11-14T22:13:19.000Z","changed":"2023-11-14T22:13:19.000Z","hostname":"host-1","link_layer":"02:00:5e:10:00:01"}"#;

/// The keys of owner, slot, host, version, containers and attachments are newer than the others.
const INSTANCE: &str = r#"{"id":"3f9a2c01d2e4","owner":{"kind":"client","name":"0123456789ab"},"slot":"default","client":"0123456789ab","host":"local","link":"br0","template":"default","version":0,"plugin":"docker","spec":{"image":"orchestrator/client","hostname":"host-1","command":["x"],"environment":{"TOKEN":"***"},"environment_from":{"KEY":{"credential":"key"},"FILE":{"file":"/etc/token"}},"capabilities":["NET_RAW"],"resources":{"memory":1024,"millicpus":null,"pids":10},"labels":{"a":"b"}},"address":"fd39::2:7","phase":"ready","reason":null,"attempts":0,"due":null,"reference":"c0ffee","created":"2023-11-14T22:10:08.000Z","ready":"2023-11-14T22:10:09.000Z","changed":"2023-11-14T22:10:09.000Z","containers":[],"attachments":[]"#;

const EVENT: &str = r#"{"id":7,"at":"2023-11-14T22:10:09.000Z","kind":"instance-ready","link":"br0","client":"0123456789ab","instance":"3f9a2c01d2e4","address":"fd39::2:7","detail":null}"#;

#[test]
fn clients_leases_and_instances() {
    check::<Client>(CLIENT);
    check::<LeaseView>(LEASE);
    check::<LeaseView>(PREFIX);
    let whom = r#","duid":"00:03:00:01:02","hostname":null,"link_layer":null}"#;
    check::<InstanceView>(&format!("{INSTANCE}{whom}"));
    let list = format!(r#"{{"items":[{LEASE},{PREFIX}],"next":"br0/fd40::/56"}}"#);
    check::<Page<LeaseView>>(&list);
    let client = CLIENT.strip_suffix('}').unwrap();
    let whole = format!(r#"{client},"leases":[{LEASE}],"instance":{INSTANCE}}},"events":[{EVENT}]}}"#);
    check::<ClientView>(&whole);
    check::<Orphan>(
        r#"{"id":"3f9a2c01d2e4","plugin":"docker","reference":"c0ffee","running":true,"link":"br0","duid":null,"address":"fd39::2:7"}"#,
    );
}

#[test]
fn every_kind_of_event() {
    check::<Event>(EVENT);
    check::<Event>(
        r#"{"id":8,"at":"2023-11-14T22:10:09.000Z","kind":"lease-granted","link":"br0","client":null,"instance":null,"prefix":"fd40::/56","detail":"x"}"#,
    );
    for kind in [
        "lease-granted",
        "lease-released",
        "lease-expired",
        "lease-declined",
        "quarantine-lifted",
        "message-refused",
        "client-moved",
        "cloned-duid",
        "shared-duid",
        "client-limit",
        "reconfigure-unanswered",
        "instance-wanted",
        "instance-ready",
        "instance-failed",
        "instance-disturbed",
        "instance-restarted",
        "instance-ending",
        "instance-kept",
        "instance-adopted",
        "instance-destroyed",
        "instance-removed",
        "link-disturbed",
        "other-server",
        "other-router",
        "refused",
    ] {
        check::<Event>(&EVENT.replace("instance-ready", kind));
    }
}

#[test]
fn reservations() {
    let tail = r#""address":"fd39::7","prefix":null,"created":null,"in_force":true}"#;
    for holder in [
        r#""duid":"00:02:01""#,
        r#""link_layer_address":"02:00:5e:10:00:01""#,
        r#""remote_id":{"enterprise":9,"id":"0x00ff"}"#,
        r#""interface_id":"port 7""#,
    ] {
        check::<ReservationView>(&format!(r#"{{"id":null,"link":"br0",{holder},{tail}"#));
        check::<NewReservation>(&format!(r#"{{"link":"br0",{holder},"prefix":"fd40::/56"}}"#));
    }
}

#[test]
fn what_is_said_of_the_daemon() {
    check::<Health>(r#"{"status":"ok","version":"0.3.0"}"#);
    check::<Condition>(
        r#"{"name":"link br0","ok":false,"needed":true,"reason":"make it","since":"2023-11-14T22:10:09.000Z"}"#,
    );
    check::<Readiness>(r#"{"ready":true,"conditions":[]}"#);
    check::<SettingsView>(
        r#"{"file":"/etc/x","loaded":"2023-11-14T22:10:09.000Z","last_reload":{"at":"2023-11-14T22:10:09.000Z","ok":false,"faults":["x"]},"pending":[{"key":"log.level","effect":"needs-restart"}],"faults":[]}"#,
    );
    check::<Reloaded>(
        r#"{"loaded":"2023-11-14T22:10:09.000Z","changes":[{"key":"a","effect":"added"},{"key":"b","effect":"removed"},{"key":"c","effect":"changed"}]}"#,
    );
    for message in ["renew", "rebind", "information-request"] {
        check::<ReconfigureView>(&format!(
            r#"{{"client":"0123456789ab","message":"{message}","address":"fe80::1","relayed":false}}"#
        ));
    }
    check::<Problem>(
        r#"{"type":"about:blank","title":"Conflict","status":409,"code":"ambiguous-id","detail":"several","candidates":["3f9a2c01d2e4"]}"#,
    );
    check::<DnsmasqEvent>(
        r#"{"version":1,"verb":"add","duid":"00:03:00:01:02","iaid":7,"address":"fd39::1:7","interface":"br0","expires":"2023-11-14T22:10:09.000Z","remaining":60,"link_layer":"02:00:5e:10:00:01","hostname":"laptop","at":"2023-11-14T22:10:09.000Z"}"#,
    );
}

/// A check that cannot fail would say nothing.
#[test]
fn a_key_that_is_gone_is_noticed() {
    let gone = std::panic::catch_unwind(|| check::<Health>(r#"{"status":"ok","version":"0.3.0","pid":7}"#));
    assert!(gone.is_err());
    let turned = std::panic::catch_unwind(|| check::<Health>(r#"{"version":"0.3.0","status":"ok"}"#));
    assert!(turned.is_err());
}
