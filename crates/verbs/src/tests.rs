//! Lines that run on an API in memory.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use clap::CommandFactory;
use orchestrator_api_types::Problem;
use orchestrator_model::Timestamp;
use serde_json::{Value, json};

use super::resolve::{Kind, resolve};
use super::table::Width;
use super::*;

/// 2023-11-14T22:13:20Z.
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

pub(crate) fn instance(id: &str, phase: &str, reason: Option<&str>) -> Value {
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

pub(crate) fn lease() -> Value {
    json!({
        "link": "br0", "address": "fd39::1:7", "client": "0123456789ab", "duid": "00:03:00:01:02", "iaid": 7,
        "source": "listener", "state": "active", "preferred_until": "2023-11-14T23:13:20Z",
        "valid_until": "2023-11-15T00:13:19Z", "granted": "2023-11-14T22:13:19Z", "changed": "2023-11-14T22:13:19Z"
    })
}

pub(crate) fn client() -> Value {
    json!({
        "id": "0123456789ab", "link": "br0", "duid": "00:03:00:01:02", "link_layer": "02:00:5e:10:00:01",
        "hostname": "host-1", "wants_instance": true, "first_seen": "2023-11-14T22:13:10Z",
        "last_seen": "2023-11-14T22:13:15Z"
    })
}

/// The output of a verb.
#[derive(Debug, Default)]
pub(crate) struct Printed {
    pub(crate) lines: Vec<String>,
    pub(crate) warned: Vec<String>,
    /// Whether there is a terminal, and what it showed in place of one another.
    pub(crate) has_terminal: bool,
    pub(crate) progress: Vec<String>,
}

impl Sink for Printed {
    fn print(&mut self, lines: &str) -> io::Result<()> {
        self.lines.push(lines.to_owned());
        Ok(())
    }

    fn warn(&mut self, line: &str) {
        self.warned.push(line.to_owned());
    }

    fn shows_progress(&self) -> bool {
        self.has_terminal
    }

    fn progress(&mut self, text: &str) {
        self.progress.push(text.to_owned());
    }
}

/// An API that does not answer.
pub(crate) struct Nobody;

#[async_trait]
impl Api for Nobody {
    async fn call(&self, _: Request) -> Result<Bytes, CallError> {
        Err(CallError::Unreachable("nobody is here".into()))
    }

    async fn open(&self, _: Request, _: &str) -> Result<Stream, CallError> {
        Err(CallError::Unreachable("nobody is here".into()))
    }

    async fn exchange(&self, _: &str, _: &str, _: Stream) -> Result<Stream, CallError> {
        Err(CallError::Unreachable("nobody is here".into()))
    }
}

/// An API in memory: it answers a request, given as `GET /path`, with a status and JSON.
pub(crate) struct Canned<F>(pub(crate) F);

#[async_trait]
impl<F: Fn(&str) -> (u16, Value) + Send + Sync> Api for Canned<F> {
    async fn call(&self, request: Request) -> Result<Bytes, CallError> {
        let method = match request.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        };
        let (status, body) = (self.0)(&format!("{method} {}", request.path));
        if status < 300 {
            return Ok(body.to_string().into());
        }
        let problem: Problem = serde_json::from_value(body).expect("a problem");
        Err(CallError::Problem(Box::new(Problem { status, ..problem })))
    }

    async fn open(&self, request: Request, _: &str) -> Result<Stream, CallError> {
        let (_, body) = (self.0)(&format!("STREAM {}", request.path));
        let message = Bytes::from(format!("data: {body}\n\n"));
        Ok(Box::pin(futures_util::stream::iter([Ok(message)])))
    }

    async fn exchange(&self, _: &str, _: &str, _: Stream) -> Result<Stream, CallError> {
        Err(CallError::Unreachable("nothing runs here".into()))
    }
}

/// Runs a line. Returns what it printed and its result.
pub(crate) async fn run(line: &str, api: &dyn Api) -> (Printed, Result<(), Failure>) {
    run_at(line, api, Printed::default()).await
}

/// The same where this is what prints.
pub(crate) async fn run_at(line: &str, api: &dyn Api, mut printed: Printed) -> (Printed, Result<(), Failure>) {
    let line = Line::parse(line.split(' ')).unwrap_or_else(|misuse| panic!("{line}: {}", misuse.text));
    let mut session = Session {
        api,
        sink: &mut printed,
        output: line.output,
        now: NOW,
        local: &Nothing,
        limit: None,
    };
    let outcome = line.verb.run(&mut session).await;
    (printed, outcome)
}

#[tokio::test]
async fn a_line_runs_over_an_api_in_memory() {
    let api = Canned(|request: &str| match request {
        "GET /v1/instances?link=br0" => {
            let items = [instance("3f9a2c01d2e4", "ready", None)];
            (200, json!({"items": items, "next": null}))
        }
        _ => (404, json!({"title": "Not Found", "code": "not-found"})),
    });
    let (printed, outcome) = run("ls instances --link br0", &api).await;
    outcome.unwrap();
    let expected = "\
INSTANCE      CLIENT                         LINK  TEMPLATE  ADDRESS    PHASE  AGE    REASON
3f9a2c01d2e4  00:03:00:01:02:00:5e:10:00:01  br0   default   fd39::2:7  ready  3m12s  -";
    assert_eq!(printed.lines, [expected]);
    let (printed, outcome) = run("ls -o json --link br0", &api).await;
    outcome.unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&printed.lines[0]).unwrap()[0]["id"],
        "3f9a2c01d2e4"
    );
    let (printed, outcome) = run("ls clients", &api).await;
    let failure = outcome.unwrap_err();
    assert_eq!((failure.code(), printed.lines.len()), (3, 0));
}

#[tokio::test]
async fn a_line_that_removes_goes_on_after_a_failure_and_says_so() {
    let gone = || json!({"id": "3f9a2c01d2e4", "phase": "removing"});
    let api = Canned(move |request: &str| match request {
        "GET /v1/instances/3f9a2c01d2e4" | "DELETE /v1/instances/3f9a2c01d2e4" => (200, gone()),
        "GET /v1/instances" | "GET /v1/services" => (200, json!({"items": [], "next": null})),
        _ if request.starts_with("GET /v1/") && request.contains("name=") => (200, json!({"items": [], "next": null})),
        _ => (404, json!({"title": "Not Found"})),
    });
    let (printed, outcome) = run("rm x 3f9a2c01d2e4 y", &api).await;
    assert_eq!(printed.lines, ["3f9a2c01d2e4 is on its way out"]);
    assert_eq!(printed.warned.len(), 1);
    assert!(printed.warned[0].contains("\"x\""), "{:?}", printed.warned);
    assert_eq!(outcome.unwrap_err().code(), 3);
}

#[test]
fn a_line_that_touches_the_machine_is_none() {
    for line in [
        "backup /tmp/x",
        "restore /tmp/x",
        "serve",
        "check",
        "client -i eth0",
        "routes",
        "hook dnsmasq add",
    ] {
        let misuse = Line::parse(line.split(' ')).unwrap_err();
        assert!(!misuse.is_help);
        let verb = line.split(' ').next().unwrap();
        assert!(
            misuse
                .text
                .contains(&format!("`{verb}` is for the command line only: ")),
            "{}",
            misuse.text
        );
    }
    // Nor does a line choose another daemon, or read where it is.
    assert!(Line::parse(["ls", "--api", "unix:/elsewhere"]).is_err());
    assert!(Line::parse(["ls", "--help"]).unwrap_err().is_help);
}

#[test]
fn no_argument_of_a_line_is_read_from_the_environment() {
    fn check(command: &clap::Command) -> usize {
        for argument in command.get_arguments() {
            assert!(argument.get_env().is_none(), "{} {argument}", command.get_name());
        }
        command.get_arguments().count() + command.get_subcommands().map(check).sum::<usize>()
    }
    let mut command = Line::command();
    command.build();
    assert!(check(&command) > 20);
}

#[test]
fn the_arguments_are_consistent() {
    Line::command().debug_assert();
}

#[tokio::test]
async fn a_list_without_end_is_given_up() {
    let api = Canned(|_: &str| (200, json!({"items": [1], "next": "9"})));
    let failure = page::all(&api, "/v1/leases", &[]).await.unwrap_err();
    assert!(matches!(failure, Failure::Endless), "{failure}");
}

#[test]
fn an_item_that_is_none_fails() {
    let failure = view::instances(&[json!({"id": 7})], NOW, Width::Narrow).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "the answer holds an instance that is not known here; is the daemon newer than this program?"
    );
}

#[tokio::test]
async fn lists_are_read_page_after_page() {
    let api = Canned(|request: &str| {
        let page = match request {
            "GET /v1/leases?link=br0" => json!({"items": [1, 2], "next": "a b"}),
            "GET /v1/leases?link=br0&after=a%20b" => json!({"items": [3], "next": "9"}),
            "GET /v1/leases?link=br0&after=9" => json!({"items": [], "next": "9"}),
            _ => json!(null),
        };
        (200, page)
    });
    let items = page::all(&api, "/v1/leases", &[("link", "br0")]).await.unwrap();
    assert_eq!(items, [json!(1), json!(2), json!(3)]);
}

#[tokio::test]
async fn ids_are_resolved_by_their_beginning() {
    let api = Canned(|request: &str| {
        let fitting = |id: &str, name: &str| {
            let items: Vec<Value> = id.starts_with(name).then(|| json!({"id": id})).into_iter().collect();
            json!({"items": items, "next": null})
        };
        let page = if let Some(name) = request.strip_prefix("GET /v1/instances?all=true&name=") {
            fitting("3f9a2c01d2e4", name)
        } else if let Some(name) = request.strip_prefix("GET /v1/clients?name=") {
            fitting("3f9b00000000", name)
        } else if request == "GET /v1/clients/3f9b00000000" {
            json!({"id": "3f9b00000000"})
        } else {
            return (404, json!({"title": "Not found", "code": "not-found"}));
        };
        (200, page)
    });
    let among: [(Kind, &page::Query<'_>); 2] = [(Kind::Instance, &[("all", "true")]), (Kind::Client, &[])];
    let resolved = async |text: &str| resolve(text, &among, &api).await;
    assert_eq!(resolved("3f9a").await.unwrap().0, Kind::Instance);
    assert_eq!(resolved("3f9b00000000").await.unwrap().0, Kind::Client);
    for text in ["ffff", "ffffffffffff"] {
        let failure = resolved(text).await.unwrap_err();
        assert_eq!(
            failure.to_string(),
            format!("there is no instance or client {text:?}; `orchestrator ls -a` shows those there are")
        );
        assert_eq!(failure.code(), 3);
    }
    assert_eq!(resolved("3f9").await.unwrap_err().code(), 1);
}
