//! Keys and values.

use std::time::Duration;

use orchestrator::api::Role;
use orchestrator::model::{EventKind, LeaseVerb, Timestamp};
use orchestrator::store::EventFilter;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::daemon::{Daemon, LINK};
use crate::http::{Answer, PATIENCE, ask, ask_with, connect};

async fn put(daemon: &Daemon, path: &str, value: &[u8]) -> Answer {
    ask_with(&daemon.unix, "PUT", &format!("/v1/kv/{path}"), "", value).await
}

async fn get(daemon: &Daemon, path: &str) -> Answer {
    ask(&daemon.unix, "GET", &format!("/v1/kv/{path}")).await
}

async fn remove(daemon: &Daemon, path: &str) -> Answer {
    ask(&daemon.unix, "DELETE", &format!("/v1/kv/{path}")).await
}

fn paths(answer: &Answer) -> Vec<String> {
    let page = answer.json();
    let items = page["items"].as_array().expect("items");
    items
        .iter()
        .map(|item| item["path"].as_str().expect("a path").to_owned())
        .collect()
}

fn version(answer: &Answer) -> i64 {
    answer.json()["version"]
        .as_i64()
        .unwrap_or_else(|| panic!("no version: {answer:?}"))
}

#[tokio::test]
async fn a_value_of_any_bytes_is_read_as_it_was_set() {
    let daemon = Daemon::start().await;
    for (key, value) in [
        ("a", &b"on"[..]),
        ("b", b""),
        ("c/d e", "gr\u{fc}n\n".as_bytes()),
        ("bytes", b"\0\xff\x01"),
    ] {
        let key = key.replace(' ', "%20");
        let set = put(&daemon, &format!("web/{key}"), value).await;
        assert_eq!(set.status, 200, "{set:?}");
        let read = get(&daemon, &format!("web/{key}")).await;
        let item = &read.json()["items"][0];
        assert_eq!(
            (&item["version"], &item["size"]),
            (&set.json()["version"], &value.len().into())
        );
        match str::from_utf8(value) {
            Ok(text) => assert_eq!(item["value"], text),
            Err(_) => assert_eq!(item["base64"], "AP8B"),
        }
    }
    let raw = get(&daemon, "web/c/d%20e?raw").await;
    assert_eq!(
        (raw.body.as_str(), raw.header("content-type")),
        ("gr\u{fc}n\n", Some("application/octet-stream"))
    );
    let missing = get(&daemon, "web/nothing").await;
    assert_eq!(missing.problem(), (404, "no-such-key-path".to_owned()));
    assert!(missing.header("x-index").is_some(), "{missing:?}");
    let large = vec![b'x'; 64 * 1024];
    assert_eq!(put(&daemon, "web/large", &large).await.status, 200);
    let larger = put(&daemon, "web/large", &[large, b"x".to_vec()].concat()).await;
    assert_eq!(larger.problem().0, 413);
}

#[tokio::test]
async fn a_version_is_compared_before_a_key_is_set_or_removed() {
    let daemon = Daemon::start().await;
    let first = version(&put(&daemon, "web/leader?cas=0", b"one").await);
    let taken = put(&daemon, "web/leader?cas=0", b"two").await;
    assert_eq!(taken.problem(), (409, "key-changed".to_owned()));
    let second = version(&put(&daemon, &format!("web/leader?cas={first}"), b"two").await);
    assert!(second > first);
    for path in [format!("web/leader?cas={first}"), format!("web/nothing?cas={first}")] {
        assert_eq!(
            put(&daemon, &path, b"three").await.problem(),
            (409, "key-changed".to_owned()),
            "{path}"
        );
    }
    let kept = remove(&daemon, &format!("web/leader?cas={first}")).await;
    assert_eq!(kept.problem(), (409, "key-changed".to_owned()));
    assert_eq!(get(&daemon, "web/leader?raw").await.body, "two");
    assert_eq!(remove(&daemon, &format!("web/leader?cas={second}")).await.status, 200);
    // One that is made again does not have a version that it had before.
    let third = version(&put(&daemon, "web/leader?cas=0", b"one").await);
    assert!(third > second);
    // Of many at the same time one comes through.
    let race = (0..8).map(|n| {
        let (daemon, value) = (&daemon, n.to_string());
        async move {
            put(daemon, &format!("web/leader?cas={third}"), value.as_bytes())
                .await
                .status
        }
    });
    let mut statuses = futures_util::future::join_all(race).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn keys_are_listed_and_removed_by_whole_segments() {
    let daemon = Daemon::start().await;
    for key in ["web/a", "web/a/b", "web/a/c", "web/ab", "mail/a"] {
        put(&daemon, key, b"x").await;
    }
    let below = get(&daemon, "web/a?recurse").await;
    assert_eq!(paths(&below), ["web/a", "web/a/b", "web/a/c"]);
    assert_eq!(below.json()["items"][1]["value"], "x");
    let keys = get(&daemon, "web?keys").await;
    assert_eq!(paths(&keys), ["web/a", "web/a/b", "web/a/c", "web/ab"]);
    assert!(!keys.body.contains("\"value\""));
    assert_eq!(
        get(&daemon, "nothing?keys").await.json()["items"],
        Value::Array(Vec::new())
    );
    let namespaces = ask(&daemon.unix, "GET", "/v1/kv").await.json();
    assert_eq!(
        namespaces["items"][1],
        serde_json::json!({"name": "web", "keys": 4, "bytes": 4})
    );
    let removed = remove(&daemon, "web/a?recurse").await;
    assert_eq!(paths(&removed), ["web/a", "web/a/b", "web/a/c"]);
    assert_eq!(paths(&remove(&daemon, "web/a?recurse").await), [""; 0]);
    assert_eq!(paths(&get(&daemon, "web?keys").await), ["web/ab"]);
    assert_eq!(paths(&get(&daemon, "mail?keys").await), ["mail/a"]);
}

#[tokio::test]
async fn what_is_no_path_or_makes_no_sense_is_refused() {
    let daemon = Daemon::start().await;
    for path in ["WEB/a", "web//a", "web/..%2Fmail", "web/a%00", "web/%2e%2e/mail/a"] {
        assert_eq!(
            put(&daemon, path, b"x").await.problem(),
            (422, "bad-key-path".to_owned()),
            "{path}"
        );
    }
    for (method, path) in [
        ("GET", "web"),
        ("GET", "web?recurse&raw"),
        ("GET", "web?recurse=maybe"),
        ("GET", "web?keys&index=1&wait=11m"),
        ("PUT", "web"),
        ("PUT", "web/a?lease=br0"),
        ("PUT", "web/a?instance=010101010101&lease=br0/fd39::1"),
        ("DELETE", "web"),
        ("DELETE", "web/a?recurse&cas=1"),
    ] {
        let refused = ask(&daemon.unix, method, &format!("/v1/kv/{path}")).await;
        assert_eq!(refused.problem(), (400, "bad-parameter".to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn a_namespace_has_bounds() {
    let daemon = Daemon::start().await;
    let value = vec![b'x'; 64 * 1024];
    for n in 0..64 {
        assert_eq!(put(&daemon, &format!("web/{n}"), &value).await.status, 200);
    }
    let full = put(&daemon, "web/more", b"x").await;
    assert_eq!(full.problem(), (409, "namespace-full".to_owned()));
    assert_eq!(
        put(&daemon, "web/0", b"less").await.status,
        200,
        "a present one can be replaced"
    );
    assert_eq!(put(&daemon, "web/more", b"x").await.status, 200);
    assert_eq!(put(&daemon, "mail/more", &value).await.status, 200);
}

#[tokio::test]
async fn the_timeline_has_who_changed_which_key_and_no_value() {
    let daemon = Daemon::start().await;
    let token = daemon.token("ci", Role::Operator, &["/v1/kv/web"]).await;
    let headers = format!("Authorization: Bearer {token}\r\n");
    let by_token = async |method: &str, path: &str, value: &[u8]| {
        ask_with(&daemon.tcp, method, &format!("/v1/kv/{path}"), &headers, value).await
    };
    let set = by_token("PUT", "web/secret", b"hunter2").await;
    assert_eq!(set.status, 200);
    assert_eq!(by_token("DELETE", "web/secret", b"").await.status, 200);
    for path in ["mail/a", "webmail/a", "web%2Fa"] {
        assert_eq!(
            by_token("PUT", path, b"x").await.problem(),
            (403, "out-of-scope".to_owned()),
            "{path}"
        );
    }
    let events = daemon.store.events(EventFilter::default()).await.unwrap().items;
    let of_keys: Vec<_> = events
        .iter()
        .filter(|event| event.detail.as_deref() == Some("web/secret"))
        .collect();
    let kinds: Vec<_> = of_keys.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::KvSet, EventKind::KvRemoved]);
    assert_eq!(of_keys[0].id, version(&set));
    assert!(of_keys.iter().all(|event| event.by.as_deref() == Some("token ci")));
    assert!(!format!("{events:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_read_blocks_until_something_below_its_path_changes() {
    let daemon = Daemon::start().await;
    put(&daemon, "web/a", b"one").await;
    let index = get(&daemon, "web?keys").await.json()["index"].as_i64().unwrap();
    // What has changed already does not block.
    let read = get(&daemon, "web?recurse&index=0&wait=10m").await;
    assert_eq!(read.json()["items"][0]["value"], "one");
    let path = format!("web?recurse&index={index}&wait=10m");
    let waiting = get(&daemon, &path);
    tokio::pin!(waiting);
    let other = async {
        // Neither another namespace nor a lease wakes it.
        put(&daemon, "webmail/a", b"x").await;
        daemon.client(1).await;
    };
    tokio::select! {
        answer = &mut waiting => panic!("nothing has changed: {answer:?}"),
        () = other => {}
    }
    put(&daemon, "web/a/b", b"two").await;
    let read = waiting.await;
    assert_eq!(paths(&read), ["web/a", "web/a/b"]);
    let index = read.json()["index"].as_i64().unwrap();
    // A removal counts as well, and so does a key that is yet to come.
    let path = format!("web/new?index={index}&wait=10m");
    let (read, _) = tokio::join!(get(&daemon, &path), put(&daemon, "web/new", b"three"));
    assert_eq!(read.json()["items"][0]["value"], "three");
    let index = read.json()["index"].as_i64().unwrap();
    let path = format!("web/new?index={index}&wait=10m");
    let (read, _) = tokio::join!(get(&daemon, &path), remove(&daemon, "web/new"));
    assert_eq!(read.problem().0, 404);
    // After its time it is answered all the same, with an index to go on with.
    let index: i64 = read.header("x-index").unwrap().parse().unwrap();
    let read = get(&daemon, &format!("web/new?index={index}&wait=1ms")).await;
    assert_eq!(read.header("x-index").unwrap(), index.to_string());
    // An index of the future is of another database: nothing is waited for.
    assert_eq!(get(&daemon, "web?keys&index=999999&wait=10m").await.status, 200);
}

#[tokio::test]
async fn blocked_reads_leave_the_turns_to_others_and_are_bounded() {
    let daemon = Daemon::start().await;
    put(&daemon, "web/a", b"one").await;
    let index = get(&daemon, "web?keys").await.json()["index"].as_i64().unwrap();
    let mut blocked = Vec::new();
    // All streams that one peer may have, and one more; there are sixteen turns.
    for _ in 0..49 {
        let mut wire = connect(&daemon.unix).await;
        let head = format!(
            "GET /v1/kv/web?keys&index={index}&wait=10m HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        );
        wire.write_all(head.as_bytes()).await.unwrap();
        blocked.push(wire);
    }
    assert_eq!(ask(&daemon.unix, "GET", "/v1/clients").await.status, 200);
    put(&daemon, "web/b", b"two").await;
    let (mut answered, mut refused) = (0, 0);
    for mut wire in blocked {
        let mut text = String::new();
        tokio::time::timeout(PATIENCE, wire.read_to_string(&mut text))
            .await
            .expect("it is answered")
            .unwrap();
        match Answer::parse(&text).status {
            200 => answered += 1,
            _ => refused += usize::from(text.contains("too-many-streams")),
        }
    }
    assert_eq!((answered + refused, refused >= 1), (49, true), "{answered} {refused}");
}

#[tokio::test]
async fn changes_are_followed_without_values_from_where_a_reader_left_off() {
    let daemon = Daemon::start().await;
    let first = version(&put(&daemon, "web/a", b"secret").await);
    put(&daemon, "mail/a", b"x").await;
    remove(&daemon, "web/a").await;
    let mut wire = connect(&daemon.unix).await;
    let head = format!(
        "GET /v1/kv/web HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nLast-Event-ID: {}\r\n\r\n",
        first - 1
    );
    wire.write_all(head.as_bytes()).await.unwrap();
    let (mut text, mut has_put) = (String::new(), false);
    let reading = async {
        let mut buffer = [0; 4096];
        while !text.contains("web/later") {
            let length = wire.read(&mut buffer).await.unwrap();
            assert!(length > 0, "{text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..length]));
            if text.contains("event: removed") && !std::mem::replace(&mut has_put, true) {
                put(&daemon, "web/later", b"secret").await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the changes come");
    let kinds: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(kinds, ["set", "removed", "set"], "{text}");
    assert!(
        text.contains(&format!("id: {first}")) && !text.contains("secret") && !text.contains("mail"),
        "{text}"
    );
}

#[tokio::test]
async fn a_key_goes_with_the_instance_or_the_lease_that_it_is_bound_to() {
    let daemon = Daemon::start().await;
    let instance = daemon.instance(1, [1; 6]).await;
    let client = instance.client().unwrap();
    assert_eq!(
        put(&daemon, "web/mine?instance=010101010101", b"x").await.json()["instance"],
        "010101010101"
    );
    let leased = format!("web/leased?lease={LINK}/fd39::1:1");
    assert_eq!(
        put(&daemon, &leased, b"x").await.json()["lease"],
        format!("{LINK}/fd39::1:1")
    );
    put(&daemon, "web/free", b"x").await;
    put(&daemon, &format!("client:{client}/own"), b"x").await;
    for path in [
        "web/x?instance=020202020202",
        "web/x?lease=br0/fd39::99",
        "client:0badc0ffee00/own",
        "client:nobody/own",
        "client:/own",
    ] {
        assert_eq!(
            put(&daemon, path, b"x").await.problem(),
            (409, "owner-gone".to_owned()),
            "{path}"
        );
    }
    let at = Timestamp::wall();
    assert_eq!(daemon.store.remove_ended_kv(at).await.unwrap(), 0);
    assert_eq!(
        paths(&get(&daemon, "web?keys").await),
        ["web/free", "web/leased", "web/mine"]
    );

    daemon
        .store
        .destroy_instance(instance.id, at, None, None)
        .await
        .unwrap();
    assert_eq!(daemon.store.remove_ended_kv(at).await.unwrap(), 1);
    assert_eq!(paths(&get(&daemon, "web?keys").await), ["web/free", "web/leased"]);
    let again = put(&daemon, "web/mine?instance=010101010101", b"x").await;
    assert_eq!(again.problem(), (409, "owner-gone".to_owned()));

    let release = orchestrator::model::LeaseChange {
        verb: LeaseVerb::Release,
        ..daemon.lease_change(1)
    };
    daemon.store.record_leases(vec![release]).await.unwrap();
    assert_eq!(daemon.store.remove_ended_kv(at).await.unwrap(), 1);
    assert_eq!(paths(&get(&daemon, "web?keys").await), ["web/free"]);
    assert_eq!(paths(&get(&daemon, &format!("client:{client}?keys")).await).len(), 1);
    let events = daemon.store.events(EventFilter::default()).await.unwrap().items;
    let removed = events
        .iter()
        .rfind(|event| event.detail.as_deref() == Some("web/mine"))
        .unwrap();
    assert_eq!(
        (removed.kind, removed.instance),
        (EventKind::KvRemoved, Some(instance.id))
    );
}

#[tokio::test]
async fn the_keys_of_a_client_go_when_it_is_forgotten() {
    let daemon = Daemon::start().await;
    let (known, forgotten) = (daemon.client(1).await, daemon.client(2).await);
    for client in [known, forgotten] {
        let key = put(&daemon, &format!("client:{client}/own"), b"x").await;
        assert_eq!(key.status, 200, "{client}");
    }
    let release = orchestrator::model::LeaseChange {
        verb: LeaseVerb::Release,
        ..daemon.lease_change(2)
    };
    daemon.store.record_leases(vec![release]).await.unwrap();
    // After all that the daemon of the tests has recorded.
    let later = Timestamp(2_000_000_000_000);
    assert_eq!(daemon.store.remove_ended_kv(later).await.unwrap(), 0, "both are known");
    assert_eq!(daemon.store.prune(later).await.unwrap().clients, 1);
    assert_eq!(daemon.store.remove_ended_kv(later).await.unwrap(), 1);
    let left = |client| format!("client:{client}?keys");
    assert_eq!(
        paths(&get(&daemon, &left(known)).await),
        [format!("client:{known}/own")]
    );
    assert!(paths(&get(&daemon, &left(forgotten)).await).is_empty());
}

#[tokio::test]
async fn the_verbs_set_read_list_and_remove() {
    let daemon = Daemon::start().await;
    let run = async |words: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        command.args(["--api", &daemon.unix.to_string(), "kv"]).args(words);
        let output = tokio::time::timeout(PATIENCE, command.output())
            .await
            .expect("it ends")
            .expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    assert_eq!(run(&["put", "web/a b", "one", "--cas", "0"]).await.0, Some(0));
    assert_eq!(run(&["get", "web/a b"]).await, (Some(0), "one\n".to_owned()));
    let (code, text) = run(&["put", "web/a b", "two", "--cas", "0"]).await;
    assert!(code == Some(1) && text.contains("key-changed"), "{text}");
    assert!(run(&["ls"]).await.1.contains("web"));
    assert!(run(&["ls", "web"]).await.1.contains("web/a b"));
    assert_eq!(run(&["rm", "web", "-r"]).await.0, Some(0));
    assert_eq!(run(&["get", "web/a b"]).await.0, Some(3));
    let mut watch = tokio::process::Command::new(env!("CARGO_BIN_EXE_orchestrator"));
    watch.args(["--api", &daemon.unix.to_string(), "kv", "watch", "web"]);
    watch.stdout(std::process::Stdio::piped()).kill_on_drop(true);
    let mut watch = watch.spawn().unwrap();
    let mut said = watch.stdout.take().unwrap();
    let mut text = String::new();
    let reading = async {
        let mut buffer = [0; 1024];
        while !text.contains("web/watched") {
            // Until the watch has begun, it does not see what is set.
            put(&daemon, "web/watched", b"x").await;
            if let Ok(Ok(length)) = tokio::time::timeout(Duration::from_millis(100), said.read(&mut buffer)).await {
                text.push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("the change is printed");
    watch.kill().await.unwrap();
}
