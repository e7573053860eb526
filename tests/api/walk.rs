//! Every route of the document, asked for: it answers as documented, by the role that it needs and by no lesser one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use orchestrator::api::{Answer, Caller, Peer, Role};
use serde_json::{Value, json};

use crate::access::{ask_as, open_wide};
use crate::control::QUARANTINED;
use crate::daemon::{Daemon, LINK};
use crate::document::{allows, operations};
use crate::http::ask;
use crate::services::OPERATION;
use crate::volumes::VOLUME;

fn caller(role: Role) -> Caller {
    Caller {
        peer: Peer::Process { uid: 1000, pid: 7 },
        user: Some("alice".to_owned()),
        role,
        granted: None,
    }
}

/// A path with something in place of its `{id}`.
fn filled(path: &str, id: &str) -> String {
    path.replace("{id}", id)
        .replace("{name}", "web")
        .replace("{version}", "1")
        .replace("{fingerprint}", "SHA256:x")
}

fn problem(answer: &Answer) -> Value {
    assert_eq!(answer.media_type, "application/problem+json", "{answer:?}");
    serde_json::from_slice(&answer.body).expect("a problem")
}

/// An SSH key, and its fingerprint.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFxNNfzrqW3sTmNJrC5hQWLVo3hL8mGzRZ3lXJmvVqKd";
const KEY_FINGERPRINT: &str = "SHA256:oH/ngppVyusDP11pmuUWKaNq2scx04iJFPZMr8RzMpo";

/// One request for each route that succeeds, in an order in which each can.
fn requests(daemon: &Facts) -> Vec<(&'static str, &'static str, String, Vec<u8>)> {
    let json = |value: Value| value.to_string().into_bytes();
    let none = Vec::new;
    let reservation = json(json!({"link": LINK, "duid": "00:02:01", "address": "fd39::7"}));
    let template = json(json!({"name": "web", "spec": {"image": "web"}}));
    let changed = json(json!({"spec": {"image": "web:2"}, "version": 1}));
    let (client, instance) = (daemon.client.as_str(), daemon.instance.as_str());
    let read = [
        "/v1/health",
        "/v1/ready",
        "/v1/clients",
        "/v1/leases",
        "/v1/instances",
        "/v1/orphans",
        "/v1/events",
        "/v1/tasks",
        "/v1/volumes",
        "/v1/engines",
        "/v1/quarantine",
        "/v1/limits",
        "/v1/queue",
        "/v1/doctor",
        "/v1/tokens",
        "/v1/kv",
    ];
    let read = read
        .into_iter()
        .chain(["/v1/services", "/v1/endpoints", "/v1/operations"])
        .chain(["/v1/reservations", "/v1/settings", "/metrics", "/openapi.json"]);
    let mut all: Vec<_> = read.map(|path| ("GET", path, path.to_owned(), none())).collect();
    all.extend([
        ("GET", "/v1/clients/{id}", filled("/v1/clients/{id}", client), none()),
        (
            "GET",
            "/v1/instances/{id}",
            filled("/v1/instances/{id}", instance),
            none(),
        ),
        (
            "PUT",
            "/v1/clients/{id}/keys",
            filled("/v1/clients/{id}/keys", client),
            json(json!({"keys": []})),
        ),
        (
            "POST",
            "/v1/clients/{id}/keys",
            filled("/v1/clients/{id}/keys", client),
            json(json!({"keys": [KEY]})),
        ),
        (
            "DELETE",
            "/v1/clients/{id}/keys/{fingerprint}",
            format!(
                "{}/{}",
                filled("/v1/clients/{id}/keys", client),
                KEY_FINGERPRINT.replace('/', "%2F")
            ),
            none(),
        ),
        (
            "GET",
            "/v1/clients/{id}/policy",
            filled("/v1/clients/{id}/policy", client),
            none(),
        ),
        (
            "GET",
            "/v1/instances/{id}/log",
            filled("/v1/instances/{id}/log", instance),
            none(),
        ),
        (
            "GET",
            "/v1/instances/{id}/stats",
            filled("/v1/instances/{id}/stats", instance),
            none(),
        ),
        (
            "GET",
            "/v1/instances/{id}/policy",
            filled("/v1/instances/{id}/policy?to=fd39::1", instance),
            none(),
        ),
        (
            "GET",
            "/v1/clients/{id}/keys",
            filled("/v1/clients/{id}/keys", client),
            none(),
        ),
        ("POST", "/v1/reservations", "/v1/reservations".to_owned(), reservation),
        (
            "POST",
            "/v1/clients/{id}/reconfigure",
            filled("/v1/clients/{id}/reconfigure", client),
            none(),
        ),
        (
            "DELETE",
            "/v1/quarantine/{address}",
            format!("/v1/quarantine/{QUARANTINED}"),
            none(),
        ),
        ("POST", "/v1/settings/reload", "/v1/settings/reload".to_owned(), none()),
        ("POST", "/v1/doctor/fix", "/v1/doctor/fix".to_owned(), none()),
        ("POST", "/v1/pause", "/v1/pause".to_owned(), json(json!({}))),
        ("POST", "/v1/shell", "/v1/shell".to_owned(), json(json!({"line": "ls"}))),
        (
            "POST",
            "/v1/resume",
            "/v1/resume".to_owned(),
            json(json!({"link": LINK})),
        ),
        (
            "POST",
            "/v1/hooks/dnsmasq",
            "/v1/hooks/dnsmasq".to_owned(),
            crate::changes::dnsmasq_event(LINK),
        ),
        (
            "POST",
            "/v1/instances/{id}/pin",
            filled("/v1/instances/{id}/pin", instance),
            none(),
        ),
        (
            "POST",
            "/v1/instances/{id}/unpin",
            filled("/v1/instances/{id}/unpin", instance),
            none(),
        ),
        (
            "POST",
            "/v1/instances/{id}/extend",
            filled("/v1/instances/{id}/extend", instance),
            json(json!({"by": "1h"})),
        ),
        (
            "POST",
            "/v1/instances/{id}/off",
            filled("/v1/instances/{id}/off", instance),
            none(),
        ),
        (
            "POST",
            "/v1/instances/{id}/on",
            filled("/v1/instances/{id}/on", instance),
            none(),
        ),
        (
            "POST",
            "/v1/instances/{id}/reset",
            filled("/v1/instances/{id}/reset", instance),
            none(),
        ),
        (
            "POST",
            "/v1/instances/{id}/exec",
            filled("/v1/instances/{id}/exec", instance),
            json(json!({"command": ["exit", "0"]})),
        ),
        (
            "POST",
            "/v1/instances/{id}/expire",
            filled("/v1/instances/{id}/expire", instance),
            none(),
        ),
        (
            "DELETE",
            "/v1/instances/{id}",
            filled("/v1/instances/{id}", instance),
            none(),
        ),
        ("GET", "/v1/services/{name}", filled("/v1/services/{name}", ""), none()),
        (
            "PUT",
            "/v1/services/{name}",
            filled("/v1/services/{name}", ""),
            json(json!({"image": "web"})),
        ),
        (
            "POST",
            "/v1/services/{name}/scale",
            filled("/v1/services/{name}/scale", ""),
            json(json!({"to": "+1"})),
        ),
        (
            "POST",
            "/v1/services/{name}/rollback",
            filled("/v1/services/{name}/rollback", ""),
            json(json!({})),
        ),
        (
            "POST",
            "/v1/services/{name}/bump",
            filled("/v1/services/{name}/bump", ""),
            none(),
        ),
        (
            "POST",
            "/v1/services/{name}/pause",
            filled("/v1/services/{name}/pause", ""),
            none(),
        ),
        (
            "POST",
            "/v1/services/{name}/resume",
            filled("/v1/services/{name}/resume", ""),
            none(),
        ),
        (
            "DELETE",
            "/v1/services/{name}",
            filled("/v1/services/{name}", ""),
            none(),
        ),
        (
            "GET",
            "/v1/operations/{id}",
            filled("/v1/operations/{id}", OPERATION),
            none(),
        ),
        ("POST", "/v1/images", "/v1/images".to_owned(), b"web:1".to_vec()),
        ("GET", "/v1/images", "/v1/images".to_owned(), none()),
        (
            "POST",
            "/v1/images/pull",
            "/v1/images/pull".to_owned(),
            json(json!({"image": "registry.example/web"})),
        ),
        (
            "POST",
            "/v1/images/prune",
            "/v1/images/prune".to_owned(),
            json(json!({"dry_run": true})),
        ),
        (
            "DELETE",
            "/v1/images",
            "/v1/images?image=web:1&engine=docker".to_owned(),
            none(),
        ),
        (
            "PUT",
            "/v1/registries/{host}",
            "/v1/registries/registry.example".to_owned(),
            json(json!({"user": "robot", "password": "hunter2"})),
        ),
        ("GET", "/v1/registries", "/v1/registries".to_owned(), none()),
        (
            "DELETE",
            "/v1/registries/{host}",
            "/v1/registries/registry.example".to_owned(),
            none(),
        ),
        ("GET", "/v1/templates", "/v1/templates".to_owned(), none()),
        ("POST", "/v1/templates", "/v1/templates".to_owned(), template),
        (
            "GET",
            "/v1/templates/{name}",
            filled("/v1/templates/{name}", ""),
            none(),
        ),
        (
            "GET",
            "/v1/templates/{name}/versions/{version}",
            filled("/v1/templates/{name}/versions/{version}", ""),
            none(),
        ),
        (
            "PUT",
            "/v1/templates/{name}",
            filled("/v1/templates/{name}", ""),
            changed,
        ),
        (
            "POST",
            "/v1/templates/{name}/update",
            filled("/v1/templates/{name}/update", ""),
            none(),
        ),
        (
            "DELETE",
            "/v1/templates/{name}",
            filled("/v1/templates/{name}", ""),
            none(),
        ),
        (
            "POST",
            "/v1/tokens",
            "/v1/tokens".to_owned(),
            json(json!({"name": "web", "role": "viewer"})),
        ),
        (
            "POST",
            "/v1/tokens/{name}/rotate",
            filled("/v1/tokens/{name}/rotate", ""),
            json(json!({})),
        ),
        (
            "PUT",
            "/v1/kv/{path}",
            "/v1/kv/web/a/b?cas=0".to_owned(),
            b"on".to_vec(),
        ),
        ("GET", "/v1/kv/{path}", "/v1/kv/web?recurse".to_owned(), none()),
        ("DELETE", "/v1/kv/{path}", "/v1/kv/web/a/b".to_owned(), none()),
        ("DELETE", "/v1/tokens/{name}", filled("/v1/tokens/{name}", ""), none()),
        ("GET", "/v1/volumes/{id}", filled("/v1/volumes/{id}", VOLUME), none()),
        (
            "POST",
            "/v1/volumes/{id}/export",
            filled("/v1/volumes/{id}/export", VOLUME),
            none(),
        ),
        ("DELETE", "/v1/volumes/{id}", filled("/v1/volumes/{id}", VOLUME), none()),
        (
            "DELETE",
            "/v1/orphans/{id}",
            filled("/v1/orphans/{id}", daemon.orphan),
            none(),
        ),
    ]);
    all
}

/// What the daemon of a walk has.
struct Facts {
    client: String,
    instance: String,
    orphan: &'static str,
}

async fn facts(daemon: &Daemon) -> Facts {
    let instance = daemon.instance(1, [1; 6]).await;
    crate::volumes::make(daemon).await;
    daemon.conditions.set_ok("database");
    daemon.gate.add_permits(1000);
    Facts {
        client: instance.client().expect("a client").to_string(),
        instance: instance.id.to_string(),
        orphan: crate::control::ORPHAN,
    }
}

#[tokio::test]
async fn every_route_answers_as_documented() {
    let daemon = Daemon::start().await;
    let facts = facts(&daemon).await;
    let admin = caller(Role::Admin);
    let mut walked = BTreeSet::new();
    let mut made = String::new();
    for (method, route, target, body) in requests(&facts) {
        let answer = daemon.inside.ask(&admin, method, &target, body).await;
        let text = String::from_utf8_lossy(&answer.body);
        assert!(answer.status < 300, "{method} {target}: {} {text}", answer.status);
        let allowed = allows(method, &target, answer.status, &answer.media_type, &text);
        assert_eq!(allowed, Ok(()), "{method} {target}: {text}");
        walked.insert((method.to_owned(), route));
        if (method, route) == ("POST", "/v1/reservations") {
            made = serde_json::from_slice::<Value>(&answer.body).unwrap()["id"]
                .as_str()
                .unwrap()
                .to_owned();
        }
    }
    let target = filled("/v1/reservations/{id}", &made);
    let answer = daemon.inside.ask(&admin, "DELETE", &target, Vec::new()).await;
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(
        allows("DELETE", &target, answer.status, &answer.media_type, &text),
        Ok(())
    );
    assert_eq!(answer.status, 200, "{text}");
    walked.insert(("DELETE".to_owned(), "/v1/reservations/{id}"));
    let documented: BTreeSet<_> = operations().into_iter().map(|(verb, path, _)| (verb, path)).collect();
    assert_eq!(walked, documented, "every route has its request here");
}

#[tokio::test]
async fn every_route_needs_its_role() {
    let daemon = Daemon::start().await;
    let facts = facts(&daemon).await;
    let needed: BTreeMap<_, _> = operations()
        .into_iter()
        .map(|(verb, path, operation)| ((verb, path), operation["x-role"].as_str().expect("a role")))
        .collect();
    let before = daemon.store.reservations().await.unwrap();
    let mut refused = 0;
    for ((verb, path), needed) in &needed {
        let needed_role: Role = needed.parse().expect("a role");
        for role in Role::ALL.into_iter().filter(|role| !role.includes(needed_role)) {
            let target = filled(path, &facts.instance);
            let answer = daemon.inside.ask(&caller(role), verb, &target, Vec::new()).await;
            let problem = problem(&answer);
            assert_eq!(
                (answer.status, &problem["code"]),
                (403, &json!("not-allowed")),
                "{verb} {path} by {role}"
            );
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(&format!("needs the role {needed}")), "{detail}");
            assert!(
                detail.contains(&format!("user alice is {role} only")) && detail.contains("docs/api.md"),
                "{detail}"
            );
            refused += 1;
        }
    }
    // Viewers are refused every change, operators those of the daemon itself, and hooks everything but theirs.
    let changes = needed.values().filter(|role| **role != "viewer").count();
    let of_admins = needed.values().filter(|role| **role == "admin").count();
    let of_others = needed.values().filter(|role| **role != "hook").count();
    assert_eq!(refused, changes + of_admins + of_others);
    assert!(changes > 5 && of_admins >= 2);
    assert_eq!(daemon.store.reservations().await.unwrap(), before);
    assert_eq!(daemon.store.live_instances().await.unwrap()[0].phase.word(), "pending");
    assert!(
        daemon.asked().is_empty(),
        "nothing was asked of the daemon: {:?}",
        daemon.asked()
    );
}

#[tokio::test]
async fn each_role_may_do_what_it_is_for() {
    for (role, verb, path, body) in [
        (Role::Viewer, "GET", "/v1/instances", ""),
        (Role::Operator, "GET", "/v1/instances", ""),
        (Role::Operator, "DELETE", "/v1/instances/010101010101", ""),
        (
            Role::Operator,
            "POST",
            "/v1/reservations",
            r#"{"link":"br0","duid":"00:02:01","address":"fd39::7"}"#,
        ),
        (Role::Admin, "POST", "/v1/settings/reload", ""),
        (Role::Admin, "DELETE", "/v1/instances/010101010101", ""),
    ] {
        let daemon = Daemon::start().await;
        facts(&daemon).await;
        let answer = daemon.inside.ask(&caller(role), verb, path, body.into()).await;
        assert!(answer.status < 300, "{role} {verb} {path}: {answer:?}");
    }
}

/// A user without any role, on a socket that somebody opened to all by mistake.
#[tokio::test]
async fn a_peer_without_a_role_is_refused_every_route() {
    let daemon = Daemon::start().await;
    let facts = facts(&daemon).await;
    open_wide(&daemon.unix);
    for (verb, path, _) in operations() {
        let target = filled(path, &facts.instance);
        let answer = ask_as(65534, &[], &daemon.unix, &verb, &target)
            .await
            .expect("an answer");
        assert_eq!(answer.problem(), (403, "not-allowed".to_owned()), "{verb} {path}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("usermod -aG"), "{detail}");
    }
}

/// The router has no route beside the table: what is not in the document is not there.
#[tokio::test]
async fn what_is_not_in_the_document_is_not_there() {
    let daemon = Daemon::start().await;
    let documented: BTreeSet<_> = operations().into_iter().map(|(verb, path, _)| (verb, path)).collect();
    let paths: BTreeSet<_> = documented.iter().map(|(_, path)| *path).collect();
    for path in paths {
        for verb in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let is_documented = documented.contains(&(verb.to_owned(), path));
            if is_documented {
                continue;
            }
            let answer = ask(&daemon.unix, verb, &filled(path, "010101010101")).await;
            assert_eq!(
                answer.problem(),
                (405, "method-not-allowed".to_owned()),
                "{verb} {path}"
            );
        }
    }
}

#[tokio::test]
async fn the_timeline_says_who_asked() {
    let daemon = Daemon::start().await;
    facts(&daemon).await;
    let path = "/v1/instances/010101010101";
    daemon
        .inside
        .ask(&caller(Role::Operator), "DELETE", path, Vec::new())
        .await;
    assert_eq!(daemon.asked(), ["destroy by user alice"]);
    let events = daemon
        .inside
        .ask(&caller(Role::Viewer), "GET", "/v1/events", Vec::new())
        .await;
    let events: Value = serde_json::from_slice(&events.body).unwrap();
    let of = |kind: &str| {
        let items = events["items"].as_array().unwrap();
        items.iter().find(|event| event["kind"] == kind).unwrap()["by"].clone()
    };
    assert_eq!(of("instance-destroyed"), "user alice");
    assert_eq!(of("instance-wanted"), Value::Null);
}

#[test]
fn a_caller_on_loopback_has_no_name() {
    let peer = Peer::Host(IpAddr::V6(Ipv6Addr::LOCALHOST));
    let caller = Caller {
        peer,
        user: None,
        role: Role::Admin,
        granted: None,
    };
    assert_eq!(caller.to_string(), "loopback");
}
