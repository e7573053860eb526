//! What people read, and what happens when the daemon does not answer as it should.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clap::CommandFactory;
use serde_json::{Value, json};

use super::failure::Failure;
use super::http::{CallError, Client, Endpoint};
use super::resolve::{Kind, resolve};
use super::table::Width;
use super::*;
use orchestrator_model::Timestamp;

/// 2023-11-14T22:13:20Z.
const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn instance(id: &str, phase: &str, reason: Option<&str>) -> Value {
    json!({
        "id": id, "client": "0123456789ab", "duid": "00:03:00:01:02:00:5e:10:00:01", "hostname": null,
        "link": "br0", "template": "default", "plugin": "docker", "address": "fd39::2:7", "phase": phase,
        "spec": {"image": "orchestrator/client", "hostname": "host-1"}, "link_layer": null, "reason": reason, "attempts": 0, "due": null, "reference": "c0ffee", "created": "2023-11-14T22:10:08Z",
        "ready": "2023-11-14T22:10:09Z", "changed": "2023-11-14T22:10:09Z", "field_of_the_future": 1,
        "owner": {"kind": "client", "name": "0123456789ab"}, "slot": "default", "host": "local", "version": 0,
        "containers": [{
            "instance": id, "name": "main", "engine": "docker", "image": "orchestrator/client", "reference": "c0ffee"
        }],
        "attachments": [{
            "id": "0a0a0a0a0a0a", "instance": id, "container": "main", "network": "br0", "interface": "eth1",
            "address": "fd39::2:7", "prefix_length": 64, "gateway": "fd39::1", "isolated": true,
            "mac": "02:6f:00:02:00:07", "routed": []
        }]
    })
}

fn lease() -> Value {
    json!({
        "link": "br0", "address": "fd39::1:7", "client": "0123456789ab", "duid": "00:03:00:01:02", "iaid": 7,
        "source": "listener", "state": "active", "preferred_until": "2023-11-14T23:13:20Z",
        "valid_until": "2023-11-15T00:13:19Z", "granted": "2023-11-14T22:13:19Z", "changed": "2023-11-14T22:13:19Z"
    })
}

fn client() -> Value {
    json!({
        "id": "0123456789ab", "link": "br0", "duid": "00:03:00:01:02", "link_layer": "02:00:5e:10:00:01",
        "hostname": "host-1", "wants_instance": true, "first_seen": "2023-11-14T22:13:10Z",
        "last_seen": "2023-11-14T22:13:15Z"
    })
}

fn event() -> Value {
    json!({
        "id": 7, "at": "2023-11-14T22:10:09Z", "kind": "instance-ready", "link": "br0", "client": "0123456789ab",
        "instance": "3f9a2c01d2e4", "address": "fd39::2:7", "detail": null
    })
}

#[test]
fn instances_as_a_table() {
    let mut named = instance("3f9a2c01d2e4", "ready", None);
    named["hostname"] = json!("host-1");
    let items = [
        named,
        instance("aaaaaaaaaaaa", "pending", Some("image \"x\" is not on the engine")),
    ];
    assert_eq!(
        view::instances(&items, NOW, Width::Narrow).unwrap(),
        "\
INSTANCE      CLIENT                         LINK  TEMPLATE  ADDRESS    PHASE    AGE    REASON
3f9a2c01d2e4  host-1                         br0   default   fd39::2:7  ready    3m12s  -
aaaaaaaaaaaa  00:03:00:01:02:00:5e:10:00:01  br0   default   fd39::2:7  pending  3m12s  image \"x\" is not on the engine"
    );
    assert_eq!(
        view::instances(&[], NOW, Width::Narrow).unwrap(),
        "INSTANCE  CLIENT  LINK  TEMPLATE  ADDRESS  PHASE  AGE  REASON"
    );
}

#[test]
fn leases_and_clients_as_tables() {
    assert_eq!(
        view::leases(&[lease()], NOW, Width::Narrow).unwrap(),
        "\
ADDRESS    LINK  CLIENT        DUID            IAID  SOURCE    STATE   LEFT
fd39::1:7  br0   0123456789ab  00:03:00:01:02  7     listener  active  1h59m"
    );
    assert_eq!(
        view::clients(&[client()], NOW, Width::Narrow).unwrap(),
        "\
CLIENT        NAME    LINK  DUID            LINK-LAYER         SEEN
0123456789ab  host-1  br0   00:03:00:01:02  02:00:5e:10:00:01  5s"
    );
}

#[test]
fn an_instance_with_its_timeline() {
    assert_eq!(
        show::render_instance(&instance("3f9a2c01d2e4", "ready", None), &[event()], NOW).unwrap(),
        "\
instance   3f9a2c01d2e4
phase      ready
address    fd39::2:7
link       br0
template   default
image      orchestrator/client
plugin     docker
reference  c0ffee
created    2023-11-14T22:10:08.000Z (3m12s ago)
ready      2023-11-14T22:10:09.000Z (3m11s ago)
client     0123456789ab
duid       00:03:00:01:02:00:5e:10:00:01

2023-11-14T22:10:09.000Z  instance-ready      br0  client 0123456789ab  instance 3f9a2c01d2e4  fd39::2:7"
    );
}

#[test]
fn a_client_with_its_lease() {
    let mut client = client();
    client["leases"] = json!([lease()]);
    // Within its client, an instance does not tell again whom it is for.
    let mut own = instance("3f9a2c01d2e4", "ready", None);
    own.as_object_mut()
        .unwrap()
        .retain(|key, _| !["duid", "hostname", "link_layer"].contains(&key.as_str()));
    client["instances"] = json!([own]);
    client["events"] = json!([event()]);
    assert_eq!(
        show::render_client(&client, NOW, Width::Narrow).unwrap(),
        "\
client      0123456789ab
duid        00:03:00:01:02
name        host-1
link        br0
link-layer  02:00:5e:10:00:01
first seen  2023-11-14T22:13:10.000Z (10s ago)
last seen   2023-11-14T22:13:15.000Z (5s ago)

ADDRESS    LINK  CLIENT        DUID            IAID  SOURCE    STATE   LEFT
fd39::1:7  br0   0123456789ab  00:03:00:01:02  7     listener  active  1h59m

instance   3f9a2c01d2e4
phase      ready
address    fd39::2:7
link       br0
template   default
image      orchestrator/client
plugin     docker
reference  c0ffee
created    2023-11-14T22:10:08.000Z (3m12s ago)
ready      2023-11-14T22:10:09.000Z (3m11s ago)

2023-11-14T22:10:09.000Z  instance-ready      br0  client 0123456789ab  instance 3f9a2c01d2e4  fd39::2:7"
    );
}

#[test]
fn findings_as_a_table() {
    let findings = [
        check::Finding::there("settings", "/etc/orchestrator/settings.toml"),
        check::Finding::missing("link br0", "make bridge br0, or set create = true"),
    ];
    assert_eq!(
        check::render(&findings),
        "\
WHAT      IS       DETAIL
settings  there    /etc/orchestrator/settings.toml
link br0  missing  make bridge br0, or set create = true"
    );
}

fn task(name: &str, reason: Option<&str>) -> Value {
    json!({
        "name": name, "purpose": "serves the clients of a link", "state": if reason.is_some() { "failing" } else { "running" },
        "since": "2023-11-14T22:10:20Z", "last_start": "2023-11-14T22:13:19Z", "last_duration_ms": 3,
        "last_result": if reason.is_some() { "failed" } else { "ok" }, "reason": reason,
        "failures": if reason.is_some() { 12 } else { 0 },
        "next_try": reason.map(|_| "2023-11-14T22:13:22Z"), "detail": null
    })
}

#[test]
fn tasks_as_a_table() {
    let items = [task("link br0", None), task("link br1", Some("bridge br1 is missing"))];
    assert_eq!(
        tasks::render(&items, NOW, Width::Narrow).unwrap(),
        "\
TASK      STATE    SINCE  STARTED  TOOK  RESULT      NEXT   REASON
link br0  running  3m     1s       3 ms  ok          -      -
link br1  failing  3m     1s       3 ms  failed x12  in 2s  bridge br1 is missing"
    );
    let wide = tasks::render(&items, NOW, Width::Wide).unwrap();
    assert!(
        wide.contains("PURPOSE") && wide.contains("serves the clients of a link"),
        "{wide}"
    );
}

#[test]
fn the_arguments_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn endpoints_are_read_and_shown() {
    for (text, shown) in [
        ("unix:/run/a.sock", "unix:/run/a.sock"),
        ("unix:///run/a.sock", "unix:/run/a.sock"),
        ("http://[::1]:8998/", "http://[::1]:8998"),
        ("http://localhost:1", "http://localhost:1"),
    ] {
        assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), shown);
    }
    for text in [
        "",
        "/run/a.sock",
        "unix:a",
        "http://[::1]",
        "https://[::1]:1",
        "http://:1",
        "http://a:99999",
    ] {
        assert!(text.parse::<Endpoint>().is_err(), "{text}");
    }
}

#[test]
fn the_hook_takes_what_dnsmasq_says_as_it_is() {
    let words = [
        "orchestrator",
        "hook",
        "dnsmasq",
        "--spool",
        "/s",
        "add",
        "00:01",
        "fd39::7",
        "--output",
    ];
    let cli = Cli::try_parse_from(words).unwrap();
    assert!(matches!(cli.verb, Verb::Hook(_)));
    let os = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    assert!(hook::after_verb(&os(&["orchestrator", "hook", "--nonsense"])).is_some());
    assert!(hook::after_verb(&os(&["orchestrator", "ls", "hook"])).is_none());
}

/// A server that gives the same answer to every request, on a socket that is gone when it is.
struct Canned(PathBuf);

impl Canned {
    fn new(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orchestrator-cli-{}-{count}.sock", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        // Ends with the process: a thread that waits for connections holds nothing that outlives it.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).unwrap();
                let line = String::from_utf8_lossy(&request[..length])
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let answer = answer(&line);
                if answer.is_empty() {
                    // Holds the connection open and says nothing.
                    std::mem::forget(stream);
                } else {
                    // Who has read enough hangs up.
                    let _ = stream.write_all(answer.as_bytes());
                }
            }
        });
        Self(path)
    }

    fn client(&self) -> Client {
        Client::new(Endpoint::Unix(self.0.clone()))
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn http(status: u16, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn get(server: &Canned) -> Result<bytes::Bytes, Failure> {
    wait_for(async { Ok(server.client().get("/v1/instances").await?) })
}

#[test]
fn problems_have_their_exit_codes() {
    for (status, code) in [(404, 3), (409, 1), (500, 1), (503, 1)] {
        let problem = json!({"type": "about:blank", "title": "No", "status": status, "detail": "why", "code": "no"});
        let failure = get(&Canned::new(move |_| http(status, &problem))).unwrap_err();
        assert_eq!((failure.to_string().as_str(), failure.code()), ("No: why (no)", code));
    }
    let failure = get(&Canned::new(|_| http(502, &json!("proxy")))).unwrap_err();
    assert_eq!(failure.to_string(), "the answer was HTTP 502");
}

#[test]
fn a_daemon_that_is_not_there_is_told_what_to_do_about() {
    let nowhere = Client::new("unix:/nowhere/api.sock".parse().unwrap());
    let failure = wait_for(async { Ok(nowhere.get("/v1/instances").await?) }).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "no daemon answers at unix:/nowhere/api.sock; start it with `orchestrator serve`, \
         ask `systemctl status orchestrator`, or say with --api or ORCHESTRATOR_API where it listens"
    );
    assert_eq!(failure.code(), 4);
}

#[test]
fn a_daemon_that_hangs_is_not_waited_for() {
    let server = Canned::new(|_| String::new());
    let client = server.client().with_limit(Duration::from_millis(50));
    let failure = wait_for(async { Ok(client.get("/v1/instances").await?) }).unwrap_err();
    assert!(matches!(failure, Failure::Call(CallError::Timeout { .. })), "{failure}");
    assert_eq!(failure.code(), 4);
}

#[tokio::test(start_paused = true)]
async fn verbs_give_the_daemon_ten_seconds() {
    let server = Canned::new(|_| String::new());
    let begin = tokio::time::Instant::now();
    let error = server.client().get("/v1/instances").await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { .. }), "{error}");
    assert_eq!(begin.elapsed().as_secs(), 10);
}

#[test]
fn an_answer_that_is_too_large_is_not_read() {
    // What it says of its length decides; nobody waits for so much.
    let server = Canned::new(|_| "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{".to_owned());
    let failure = get(&server).unwrap_err();
    assert!(
        matches!(failure, Failure::Call(CallError::TooLarge { .. })),
        "{failure}"
    );
    assert!(failure.to_string().contains("more than 64 MiB"), "{failure}");
    // One that keeps its length to itself is given up while it comes.
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
    let server = Canned::new(move |_| {
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}",
            chunk.repeat(65)
        )
    });
    let client = server.client().with_limit(Duration::from_secs(60));
    let failure = wait_for(async { Ok(client.get("/v1/leases").await?) }).unwrap_err();
    assert!(
        matches!(failure, Failure::Call(CallError::TooLarge { .. })),
        "{failure}"
    );
}

#[test]
fn a_list_without_end_is_given_up() {
    let server = Canned::new(|_| http(200, &json!({"items": [1], "next": "9"})));
    let failure = wait_for(page::all(&server.client(), "/v1/leases", &[])).unwrap_err();
    assert!(matches!(failure, Failure::Endless), "{failure}");
}

#[test]
fn an_answer_that_is_none_fails() {
    for answer in [
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
    ] {
        let server = Canned::new(move |_| answer.to_owned());
        let failure = get(&server).unwrap_err();
        assert!(
            matches!(failure, Failure::Call(CallError::Exchange { .. })),
            "{failure}"
        );
        assert_eq!(failure.code(), 1);
    }
    let failure = view::instances(&[json!({"id": 7})], NOW, Width::Narrow).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "the answer holds an instance that is not known here; is the daemon newer than this program?"
    );
}

#[test]
fn lists_are_read_portion_after_portion() {
    let server = Canned::new(|request| {
        let page = match request {
            "GET /v1/leases?link=br0 HTTP/1.1" => json!({"items": [1, 2], "next": "a b"}),
            "GET /v1/leases?link=br0&after=a%20b HTTP/1.1" => json!({"items": [3], "next": "9"}),
            "GET /v1/leases?link=br0&after=9 HTTP/1.1" => json!({"items": [], "next": "9"}),
            _ => json!(null),
        };
        http(200, &page)
    });
    let items = wait_for(page::all(&server.client(), "/v1/leases", &[("link", "br0")])).unwrap();
    assert_eq!(items, [json!(1), json!(2), json!(3)]);
}

#[test]
fn ids_are_resolved_by_their_beginning() {
    let server = Canned::new(|request| {
        let fitting = |id: &str, name: &str| {
            let name = name.trim_end_matches(" HTTP/1.1");
            let items: Vec<Value> = id.starts_with(name).then(|| json!({"id": id})).into_iter().collect();
            json!({"items": items, "next": null})
        };
        let page = if let Some(name) = request.strip_prefix("GET /v1/instances?all=true&name=") {
            fitting("3f9a2c01d2e4", name)
        } else if let Some(name) = request.strip_prefix("GET /v1/clients?name=") {
            fitting("3f9b00000000", name)
        } else if request == "GET /v1/clients/3f9b00000000 HTTP/1.1" {
            json!({"id": "3f9b00000000"})
        } else {
            return http(404, &json!({"title": "Not found", "code": "not-found"}));
        };
        http(200, &page)
    });
    let among: [(Kind, &page::Query<'_>); 2] = [(Kind::Instance, &[("all", "true")]), (Kind::Client, &[])];
    let resolved = |text: &str| wait_for(resolve(text, &among, &server.client()));
    assert_eq!(resolved("3f9a").unwrap().0, Kind::Instance);
    assert_eq!(resolved("3f9b00000000").unwrap().0, Kind::Client);
    for text in ["ffff", "ffffffffffff"] {
        let failure = resolved(text).unwrap_err();
        assert_eq!(
            failure.to_string(),
            format!("there is no instance or client {text:?}; `orchestrator ls -a` shows those there are")
        );
        assert_eq!(failure.code(), 3);
    }
    assert_eq!(resolved("3f9").unwrap_err().code(), 1);
}

#[test]
fn what_a_reload_did_is_told_a_line_each() {
    use orchestrator_api_types::{Change, Effect};
    let change = |key: &str, effect| Change {
        key: key.to_owned(),
        effect,
    };
    let changes = [
        change("log.format", Effect::NeedsRestart),
        change("link.br0.pool", Effect::Changed),
        change("link.br1", Effect::Added),
    ];
    let told = "link.br0.pool: changed\nlink.br1: added\nlog.format: stays as it is until the daemon is restarted";
    assert_eq!(reload::render(&changes), told);
    assert_eq!(reload::render(&[]), "nothing is written otherwise than it runs");
}

#[test]
fn settings_in_force_as_people_read_them() {
    use orchestrator_api_types::{ReloadOutcome, SettingsView};
    let mut view = SettingsView {
        file: "/etc/orchestrator/settings.toml".to_owned(),
        loaded: Timestamp(NOW.0 - 60_000),
        last_reload: None,
        pending: Vec::new(),
        faults: Vec::new(),
    };
    assert_eq!(
        settings::render(&view, NOW),
        "\
file     /etc/orchestrator/settings.toml
loaded   2023-11-14T22:12:20.000Z (1m ago)
written  as it runs"
    );
    view.last_reload = Some(ReloadOutcome {
        at: NOW,
        ok: false,
        faults: vec!["log.level: \"loud\" is not known here".to_owned()],
    });
    view.faults = vec!["log.level: \"loud\" is not known here".to_owned()];
    assert_eq!(
        settings::render(&view, NOW),
        "\
file         /etc/orchestrator/settings.toml
loaded       2023-11-14T22:12:20.000Z (1m ago)
last reload  2023-11-14T22:13:20.000Z (0s ago): refused, nothing was changed
written      wrong, and would be refused:
log.level: \"loud\" is not known here"
    );
}
