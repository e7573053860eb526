//! Patterns over the names of things that are not instances, and the question before more than one is changed.

use std::sync::Mutex;

use serde_json::{Value, json};

use crate::tests::{Canned, instance, run};

/// Runs a line over an API that has two or three of everything. Returns what was printed, the exit code, and the requests
/// that change something.
async fn all(line: &str) -> (Vec<String>, u8, Vec<String>) {
    let changes = Mutex::new(Vec::new());
    let api = Canned(|request: &str| {
        if !request.starts_with("GET ") {
            changes.lock().unwrap().push(request.to_owned());
        }
        answer(request)
    });
    let (printed, outcome) = run(line, &api).await;
    let code = outcome.map_or_else(|failure| failure.code(), |()| 0);
    let lines = printed.lines.iter().flat_map(|text| text.lines().map(str::to_owned));
    (lines.collect(), code, changes.into_inner().unwrap())
}

fn list(items: &[Value]) -> (u16, Value) {
    (200, json!({ "items": items, "next": null }))
}

fn token(name: &str) -> Value {
    json!({
        "name": name, "id": "010101010101", "role": "viewer", "scope": [], "signs": false, "created": "2023-11-14T22:10:08Z",
        "by": null, "until": null, "used": null, "earlier_until": null
    })
}

fn reservation(id: Option<&str>, address: &str) -> Value {
    json!({
        "id": id, "link": "br0", "duid": "00:03:00:01:02", "address": address, "prefix": null, "created": null,
        "in_force": true
    })
}

fn declined(address: &str) -> Value {
    json!({
        "link": "br0", "address": address, "client": "0123456789ab", "duid": "00:03:00:01:02", "iaid": 7,
        "source": "listener", "state": "declined", "preferred_until": "2023-11-14T23:13:20Z",
        "valid_until": "2023-11-15T00:13:19Z", "granted": "2023-11-14T22:13:19Z", "changed": "2023-11-14T22:13:19Z"
    })
}

fn client(id: &str, link: &str, hostname: &str) -> Value {
    json!({
        "id": id, "link": link, "duid": "00:03:00:01:02", "link_layer": null, "hostname": hostname,
        "wants_instance": true, "first_seen": "2023-11-14T22:13:10Z", "last_seen": "2023-11-14T22:13:15Z"
    })
}

fn key(path: &str) -> Value {
    json!({
        "path": path, "value": "v", "base64": null, "size": 1, "version": 7, "created": "2023-11-14T22:13:10Z",
        "changed": "2023-11-14T22:13:10Z", "instance": null, "lease": null
    })
}

fn limits() -> Value {
    let used = json!({"used": 0, "limit": null});
    let link = |name: &str| json!({"link": name, "instances": used, "creations": used});
    json!({
        "hosts": [], "links": [link("br0"), link("br1"), link("lab")], "templates": [], "waiting": used, "paused": []
    })
}

fn answer(request: &str) -> (u16, Value) {
    let (method, path) = request.split_once(' ').unwrap();
    let path = path.split('?').next().unwrap();
    let keys = |namespace: &str, keys: &[&str]| {
        let items: Vec<Value> = keys.iter().map(|name| key(&format!("{namespace}/{name}"))).collect();
        list(&items)
    };
    match (method, path) {
        ("GET", "/v1/tokens") => list(&[token("ci-1"), token("ci-2"), token("desk")]),
        ("GET", "/v1/reservations") => list(&[
            reservation(Some("aaaaaaaaaaa1"), "fd39::1"),
            reservation(Some("aaaaaaaaaaa2"), "fd39::2"),
            reservation(None, "fd39::3"),
        ]),
        ("GET", "/v1/quarantine") => list(&[declined("fd39::1"), declined("fd40::1")]),
        ("GET", "/v1/clients") => list(&[
            client("ccccccccccc1", "br0", "lab-1"),
            client("ccccccccccc2", "br1", "lab-2"),
            client("ccccccccccc3", "lab", "desk"),
        ]),
        ("GET", "/v1/services" | "/v1/instances" | "/v1/queue") => list(&[]),
        ("GET", "/v1/limits") => (200, limits()),
        ("POST", "/v1/pause") => (200, limits()),
        ("GET", "/v1/kv") => list(&[
            json!({"name": "web", "keys": 2, "bytes": 2}),
            json!({"name": "webs", "keys": 1, "bytes": 1}),
            json!({"name": "db", "keys": 1, "bytes": 1}),
        ]),
        ("GET", "/v1/kv/web") => keys("web", &["lock-1", "lock-2", "leader"]),
        ("GET", "/v1/kv/webs") => keys("webs", &["lock-1"]),
        ("GET", "/v1/kv/db") => keys("db", &["lock-1"]),
        (_, path) if path.starts_with("/v1/kv/") => list(&[key(path.trim_start_matches("/v1/kv/"))]),
        ("DELETE", path) if path.starts_with("/v1/tokens/") => (200, token(path.rsplit('/').next().unwrap())),
        ("DELETE", path) if path.starts_with("/v1/reservations/") => (200, reservation(None, "fd39::1")),
        ("DELETE", path) if path.starts_with("/v1/quarantine/") => (200, Value::Null),
        _ => (404, json!({"title": "Not Found", "code": "not-found"})),
    }
}

#[tokio::test]
async fn a_pattern_that_means_several_needs_a_yes_and_changes_each() {
    for (line, changes) in [
        (
            "token rm ci-*",
            vec!["DELETE /v1/tokens/ci-1", "DELETE /v1/tokens/ci-2"],
        ),
        (
            "reservation remove fd39::*",
            vec![
                "DELETE /v1/reservations/aaaaaaaaaaa1",
                "DELETE /v1/reservations/aaaaaaaaaaa2",
            ],
        ),
        (
            "quarantine lift *::1",
            vec!["DELETE /v1/quarantine/fd39%3A%3A1", "DELETE /v1/quarantine/fd40%3A%3A1"],
        ),
        (
            "kv rm web/lock-*",
            vec!["DELETE /v1/kv/web/lock-1", "DELETE /v1/kv/web/lock-2"],
        ),
        ("pause --link br*", vec!["POST /v1/pause", "POST /v1/pause"]),
    ] {
        let (_, code, asked) = all(line).await;
        assert_eq!((code, asked.len()), (2, 0), "{line} without a yes");
        let (_, code, asked) = all(&format!("{line} --force")).await;
        assert_eq!(
            (code, asked),
            (0, changes.iter().map(|one| (*one).to_owned()).collect()),
            "{line}"
        );
    }
    // One thing needs no yes, and nor do several that are named.
    for (line, count) in [
        ("token rm de*", 1),
        ("token rm ci-1 desk", 2),
        ("kv rm web/lead*", 1),
        ("pause --link l*", 1),
        ("quarantine lift fd39::1 fd40:0::1", 2),
    ] {
        let (_, code, asked) = all(line).await;
        assert_eq!((code, asked.len()), (0, count), "{line}");
    }
    for line in [
        "token rm x-*",
        "kv rm web/x*",
        "pause --link x*",
        "reservation remove x*",
        "quarantine lift x*",
    ] {
        let (_, code, asked) = all(line).await;
        assert_eq!((code, asked.len()), (3, 0), "{line}");
    }
}

#[tokio::test]
async fn lists_take_patterns_over_names_and_links() {
    for (line, expected) in [
        ("ls clients lab-* -o name", vec!["ccccccccccc1", "ccccccccccc2"]),
        ("ls clients --link br* -o name", vec!["ccccccccccc1", "ccccccccccc2"]),
        ("ls tokens ci-* -o name", vec!["ci-1", "ci-2"]),
        ("token ls desk -o name", vec!["desk"]),
        ("quarantine ls fd40* -o name", vec!["fd40::1"]),
        ("reservation list *::3 -o name", vec!["fd39::3"]),
        ("kv ls web/lock-* -o name", vec!["web/lock-1", "web/lock-2"]),
        ("kv ls */lock-1 -o name", vec!["web/lock-1", "webs/lock-1", "db/lock-1"]),
        (
            "kv ls web* -o name",
            vec!["web/lock-1", "web/lock-2", "web/leader", "webs/lock-1"],
        ),
        ("kv get web/lock-*", vec!["web/lock-1 = v", "web/lock-2 = v"]),
    ] {
        let (lines, code, _) = all(line).await;
        assert_eq!(
            (code, lines),
            (0, expected.iter().map(|one| (*one).to_owned()).collect()),
            "{line}"
        );
    }
    assert_eq!(all("ls clients nobody-*").await.1, 3);
    assert_eq!(all("ls clients *").await.1, 0);
    assert_eq!(all("ls nothing-*").await.1, 3);
}

#[tokio::test]
async fn instances_and_services_are_listed_and_shown_by_patterns() {
    let of_service = |id: &str, slot: &str| {
        let mut item = instance(id, "ready", None);
        item["owner"] = json!({"kind": "service", "name": "web"});
        item["slot"] = json!(slot);
        item["client"] = Value::Null;
        item
    };
    let service = |name: &str| {
        json!({
            "name": name, "generation": 3, "version": 2, "good_version": 1, "instances": 2, "serving": 1, "state": "active",
            "paused": null, "reason": null, "failures": 0, "created": "2023-11-14T22:10:08Z", "changed": "2023-11-14T22:10:08Z",
            "by": "user ada", "spec": {"image": "web:2"}, "operation": null,
            "slots": [{
                "number": 0, "version": 2, "state": "wanted", "health": "failing", "instance": "aaaaaaaaaaa0",
                "opened": "2023-11-14T22:10:08Z", "since": "2023-11-14T22:13:08Z", "detail": "connection refused"
            }]
        })
    };
    let api = Canned(move |request: &str| {
        let path = request.trim_start_matches("GET ").split('?').next().unwrap();
        match path {
            "/v1/instances" => list(&[
                of_service("aaaaaaaaaaa0", "0"),
                of_service("aaaaaaaaaaa1", "1"),
                instance("bbbbbbbbbbb0", "ready", None),
            ]),
            "/v1/instances/aaaaaaaaaaa0" => (200, of_service("aaaaaaaaaaa0", "0")),
            "/v1/instances/aaaaaaaaaaa1" => (200, of_service("aaaaaaaaaaa1", "1")),
            "/v1/services" => list(&[service("web"), service("idle")]),
            "/v1/services/idle" => (200, service("idle")),
            "/v1/events" | "/v1/queue" | "/v1/clients" => list(&[]),
            path if path.ends_with("/policy") => (
                200,
                json!({
                    "client": null, "instance": path.split('/').nth(3), "fault": null, "links": [], "bindings": [], "rules": [],
                    "drops": [], "uncounted": null, "decision": null
                }),
            ),
            _ => (404, json!({"title": "Not Found", "code": "not-found"})),
        }
    });
    let lines = async |line: &str| {
        let (printed, outcome) = run(line, &api).await;
        outcome.unwrap_or_else(|failure| panic!("{line}: {failure}"));
        printed.lines.join("\n")
    };
    assert_eq!(lines("ls web-* -o name").await, "aaaaaaaaaaa0\naaaaaaaaaaa1");
    assert_eq!(
        lines("ls instances web-1 bbbb* -o name").await,
        "aaaaaaaaaaa1\nbbbbbbbbbbb0"
    );
    assert_eq!(lines("ls services i* -o name").await, "idle");
    let shown: Value = serde_json::from_str(&lines("show web-* -o json").await).unwrap();
    assert_eq!((&shown[0]["slot"], &shown[1]["slot"]), (&json!("0"), &json!("1")));
    // A service has no instance of its own name, and its slots are shown.
    let text = lines("show idle").await;
    assert!(text.contains("1/2") && text.contains("connection refused"), "{text}");
    assert_eq!(lines("show id*").await, text, "no instance has such a name");
    let policies: Value = serde_json::from_str(&lines("policy web-* -o json").await).unwrap();
    assert_eq!(policies[1]["instance"], "aaaaaaaaaaa1");
    assert!(lines("policy web").await.starts_with("web-0:\n"));
}
