//! Operations on services: what was begun is waited for and never lost, and it is seen how far it is.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::tests::{Canned, Printed, run, run_at};
use crate::{Api, CallError, Request, Stream};

const ID: &str = "3f9a2c01d2e4";

fn operation(service: &str, state: &str) -> Value {
    json!({
        "id": ID, "kind": "bump", "service": service, "version": 3, "generation": 7, "state": state,
        "detail": (state == "failed").then_some("web-0 does not answer"), "created": "2023-11-14T22:10:08Z", "ended": null,
        "by": null
    })
}

fn service(name: &str) -> Value {
    let slot = |number: u32, version: u32, state: &str, health: &str| {
        json!({
            "number": number, "version": version, "state": state, "health": health, "instance": null,
            "opened": "2023-11-14T22:10:08Z", "since": "2023-11-14T22:10:08Z", "detail": null
        })
    };
    json!({
        "name": name, "generation": 7, "version": 3, "good_version": 2, "instances": 2, "serving": 2, "state": "active",
        "paused": null, "reason": null, "failures": 0, "created": "2023-11-14T22:10:08Z", "changed": "2023-11-14T22:10:08Z",
        "by": null, "spec": {}, "operation": operation(name, "running"),
        "slots": [slot(0, 2, "draining", "passing"), slot(1, 2, "wanted", "passing"), slot(2, 3, "wanted", "passing")]
    })
}

fn begun(name: &str) -> Value {
    json!({
        "name": name, "generation": 7, "changes": [], "replaces": true, "operation": operation(name, "running")
    })
}

/// An API with the services `web` and `webs`, whose operations end so.
fn ending(state: &'static str) -> Canned<impl Fn(&str) -> (u16, Value) + Send + Sync> {
    Canned(move |request: &str| match request {
        "GET /v1/services" => (200, json!({ "items": [service("web"), service("webs")], "index": 1 })),
        "GET /v1/services/web" => (200, service("web")),
        "POST /v1/services/web/bump" => (200, begun("web")),
        "POST /v1/services/webs/bump" => (409, json!({"title": "It is being removed", "code": "removing"})),
        _ if request.starts_with(&format!("GET /v1/operations/{ID}")) => (200, operation("web", state)),
        _ => (404, json!({"title": "Not Found", "code": "not-found"})),
    })
}

#[tokio::test(start_paused = true)]
async fn what_was_begun_is_waited_for_although_a_later_request_fails() {
    let api = ending("done");
    assert_eq!(run("bump web*", &api).await.1.unwrap_err().code(), 2, "two need a yes");
    let (printed, outcome) = run("bump web* --force", &api).await;
    assert_eq!(printed.lines, ["web: bump of version 3 is done"]);
    let failure = outcome.unwrap_err();
    assert!(
        failure.to_string().starts_with("webs: ") && failure.code() == 1,
        "{failure}"
    );
    let (printed, outcome) = run("bump web webs --detach", &api).await;
    assert_eq!(printed.lines, [format!("web: operation {ID}")]);
    assert!(outcome.is_err());
}

/// An API with the services `web-a` and `web-b` that notes the changes it is asked for.
struct Asked(Mutex<Vec<String>>);

#[async_trait]
impl Api for Asked {
    async fn call(&self, request: Request) -> Result<Bytes, CallError> {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let answer = match request.path.as_str() {
            "/v1/services" => json!({ "items": [service("web-a"), service("web-b")], "index": 1 }),
            path if path.contains("/bump") => {
                self.0.lock().unwrap().push(format!("{path} {body}"));
                let mut begun = begun(&path["/v1/services/".len()..][..5]);
                begun["changes"] = json!([{"key": "image", "before": "web:1.1", "after": "web:1.2"}]);
                begun
            }
            _ => operation("web-a", "done"),
        };
        Ok(answer.to_string().into())
    }

    async fn open(&self, _: Request, _: &str) -> Result<Stream, CallError> {
        Err(CallError::Unreachable("nobody is here".into()))
    }

    async fn exchange(&self, _: &str, _: &str, _: Stream) -> Result<Stream, CallError> {
        Err(CallError::Unreachable("nobody is here".into()))
    }
}

#[tokio::test(start_paused = true)]
async fn services_are_bumped_to_another_image() {
    let tag = r#"{"image":null,"tag":"1.2"}"#;
    let [a, b] = ["a", "b"].map(|name| format!("/v1/services/web-{name}/bump"));
    for (line, asked) in [
        ("bump web-a", vec![format!("{a} ")]),
        ("bump web-a -v 1.2", vec![format!("{a} {tag}")]),
        (
            "bump web-* --tag 1.2 --force",
            vec![format!("{a} {tag}"), format!("{b} {tag}")],
        ),
        (
            "bump web-b --image some/web:2 --expect 7",
            vec![format!(r#"{b}?expect=7 {{"image":"some/web:2","tag":null}}"#)],
        ),
    ] {
        let api = Asked(Mutex::default());
        let (printed, outcome) = run(line, &api).await;
        outcome.unwrap_or_else(|failure| panic!("{line}: {failure}"));
        assert_eq!(*api.0.lock().unwrap(), asked, "{line}");
        assert_eq!(printed.lines.len(), asked.len(), "{line}");
    }
    // A plan asks nobody, and waits for nothing.
    let api = Asked(Mutex::default());
    let (printed, outcome) = run("bump web-* -v 1.2 --plan", &api).await;
    outcome.unwrap();
    assert_eq!(
        printed.lines[..2],
        [
            "web-a: its instances are replaced (--expect 7)",
            "  image: \"web:1.1\" → \"web:1.2\""
        ]
    );
    assert_eq!(api.0.lock().unwrap()[1], format!("{b}?plan=true {tag}"));
    for line in ["bump web -v 1 --image web:2", "bump --resume 3f9a2c01d2e4 -v 1"] {
        assert!(crate::Line::parse(line.split(' ')).is_err(), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_fails_or_goes_on_has_an_exit_code_of_its_own() {
    let failure = run("bump web", &ending("failed")).await.1.unwrap_err();
    assert_eq!(
        (failure.to_string().as_str(), failure.code()),
        ("web: bump of version 3 is failed: web-0 does not answer", 1)
    );
    let failure = run("bump web -t 30s", &ending("running")).await.1.unwrap_err();
    assert!(
        failure.to_string().contains(&format!("orchestrator wait {ID}")),
        "{failure}"
    );
    assert_eq!(failure.code(), 7);
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_resumed_by_the_verb_that_began_it_or_by_wait() {
    for line in [
        "wait",
        "bump --resume",
        "deploy --resume",
        "scale --resume",
        "rollback --resume",
        "undeploy --resume",
    ] {
        let (printed, outcome) = run(&format!("{line} {ID}"), &ending("done")).await;
        outcome.unwrap_or_else(|failure| panic!("{line}: {failure}"));
        assert_eq!(printed.lines, ["web: bump of version 3 is done"], "{line}");
    }
    assert_eq!(run("wait 000000000000", &ending("done")).await.1.unwrap_err().code(), 3);
}

#[tokio::test(start_paused = true)]
async fn it_is_shown_how_far_an_operation_is_where_there_is_a_terminal() {
    let terminal = Printed {
        has_terminal: true,
        ..Printed::default()
    };
    let (printed, _) = run_at("bump web -t 2s", &ending("running"), terminal).await;
    let expected = format!("web: bump, 1 of 2 of version 3 pass, 1 drain, 0s (operation {ID})");
    assert_eq!(printed.progress.first(), Some(&expected));
    assert_eq!(
        printed.progress.last().map(String::as_str),
        Some(""),
        "it is taken away"
    );
    let (printed, _) = run("bump web -t 2s", &ending("running")).await;
    assert!(printed.progress.iter().all(String::is_empty), "{:?}", printed.progress);
}

#[tokio::test(start_paused = true)]
async fn it_is_said_why_instances_will_wait_and_what_an_operation_waited_for() {
    let reason = "each host that may have it has one";
    let waiting = |request: &str| match request {
        "GET /v1/services" => (200, json!({ "items": [service("web")], "index": 1 })),
        "POST /v1/services/web/scale" => {
            let mut begun = begun("web");
            begun["warnings"] = json!(["3 of 4 instances have a host"]);
            (200, begun)
        }
        _ => {
            let mut running = operation("web", "running");
            running["detail"] = json!(format!("slot 3 waits: {reason}"));
            (200, running)
        }
    };
    for line in [
        "scale web 4 -t 30s",
        "scale web 4 --detach",
        "scale web 4 --detach -o json",
    ] {
        let (printed, outcome) = run(line, &Canned(waiting)).await;
        assert_eq!(printed.warned, ["web: warning: 3 of 4 instances have a host"], "{line}");
        match outcome {
            Err(failure) => assert!(failure.to_string().contains(reason), "{failure}"),
            Ok(()) => assert!(line.contains("detach")),
        }
    }
}

#[tokio::test]
async fn a_service_that_is_refused_is_refused_with_its_faults() {
    let fault = "network: there is no network \"lna\"; write one of lan";
    let other = "image: is missing; name an image";
    let refusing = move |faults: Value| {
        Canned(move |_: &str| {
            let detail = "the service is wrong, and nothing was changed; mend what `faults` names";
            let problem = json!({"title": "Unprocessable", "status": 422, "code": "service-wrong", "detail": detail, "faults": faults});
            (422, problem)
        })
    };
    for line in ["deploy web.toml", "deploy --plan web.toml"] {
        let failure = run_with(line, &refusing(json!([fault, other])), &OneFile)
            .await
            .1
            .unwrap_err();
        assert_eq!(failure.faults(), [fault, other], "{line}");
        assert_eq!(
            failure.to_string(),
            "web: the service is wrong, and nothing was changed"
        );
        assert_eq!(failure.code(), 64, "{line}");
    }
    // Of several, each has its faults.
    let (printed, outcome) = run_with("deploy web.toml db.toml", &refusing(json!([fault])), &OneFile).await;
    assert_eq!(
        printed.warned,
        [fault, "web: the service is wrong, and nothing was changed"]
    );
    assert_eq!(outcome.unwrap_err().faults(), [fault]);
    // The same of a template and of the settings.
    for (line, code, text) in [
        ("template create web image=a", "template-wrong", "the template is wrong"),
        ("reload", "settings-wrong", "the settings are wrong"),
    ] {
        let api = Canned(move |_: &str| {
            (
                422,
                json!({"title": "U", "code": code, "faults": ["pids: is no number"]}),
            )
        });
        let failure = run_with(line, &api, &OneFile).await.1.unwrap_err();
        assert_eq!((failure.faults().len(), failure.code()), (1, 64), "{line}");
        assert!(failure.to_string().starts_with(text), "{failure}");
    }
}

#[tokio::test]
async fn a_plan_says_whether_a_service_is_new() {
    let plan = |generation: u64, changes: Value, replaces: bool| json!({"name": "web", "generation": generation, "changes": changes, "replaces": replaces, "operation": null});
    let change = json!([{"key": "image", "before": null, "after": "web:1"}]);
    for (answer, text) in [
        (plan(0, change.clone(), false), "web: it is new (--expect 0)"),
        (
            plan(4, change.clone(), true),
            "web: its instances are replaced (--expect 4)",
        ),
        (plan(4, change, false), "web: its instances stay (--expect 4)"),
        (plan(4, json!([]), false), "web: nothing changes (--expect 4)"),
        (plan(4, json!([]), true), "web: its instances are replaced (--expect 4)"),
    ] {
        let api = Canned(|_: &str| (200, answer.clone()));
        let printed = run_line("deploy --plan web.toml", &api, &OneFile).await.unwrap();
        assert_eq!(printed[0], text);
    }
}

#[tokio::test]
async fn a_specification_comes_from_standard_input_too_in_the_form_that_is_given() {
    let api = Canned(|request: &str| {
        let answer = json!({"name": "cat", "generation": 0, "changes": [], "replaces": false, "operation": null});
        let is_good = request == "PUT /v1/services/cat?plan=true";
        (if is_good { 200 } else { 404 }, answer)
    });
    let run = async |line: &str, typed: &'static str| run_line(line, &api, &Typing(typed)).await;
    for (line, typed) in [
        ("deploy --plan -", "name = \"cat\"\nimage = \"web:1\"\n"),
        ("deploy --plan -", "{\"name\": \"cat\", \"image\": \"web:1\"}"),
        ("deploy --plan - --format yaml", "name: cat\nimage: web:1\n"),
    ] {
        assert_eq!(
            run(line, typed).await.unwrap(),
            ["cat: it is new (--expect 0)"],
            "{line}"
        );
    }
    let fault = run("deploy --plan - --format json", "name: cat").await.unwrap_err();
    assert!(fault.starts_with("-: it is not JSON"), "{fault}");
    let fault = run("deploy --plan - -", "name = \"cat\"").await.unwrap_err();
    assert!(fault.contains("only once"), "{fault}");
    assert!(crate::Line::parse(["deploy", "-", "--format", "xml"]).is_err());
}

/// Runs a line, and returns what it prints, or the words of its failure.
async fn run_line(line: &str, api: &dyn crate::Api, local: &dyn crate::Local) -> Result<Vec<String>, String> {
    let (printed, outcome) = run_with(line, api, local).await;
    outcome.map(|()| printed.lines).map_err(|failure| failure.to_string())
}

/// Runs a line where these files are.
async fn run_with(line: &str, api: &dyn crate::Api, local: &dyn crate::Local) -> (Printed, Result<(), crate::Failure>) {
    let line = crate::Line::parse(line.split(' ')).unwrap();
    let mut printed = Printed::default();
    let mut session = crate::Session {
        api,
        sink: &mut printed,
        output: line.output,
        now: orchestrator_model::Timestamp(0),
        local,
        limit: None,
    };
    let outcome = line.verb.run(&mut session).await;
    (printed, outcome)
}

/// Somebody who types this, and has no files.
struct Typing(&'static str);

#[async_trait]
impl crate::Local for Typing {
    async fn file(&self, name: &str) -> std::io::Result<crate::LocalFile> {
        crate::Nothing.file(name).await
    }

    async fn confirm(&self, _: &str) -> Option<bool> {
        None
    }

    fn terminal(&self) -> std::io::Result<crate::Terminal> {
        crate::Nothing.terminal()
    }

    fn input(&self) -> std::io::Result<crate::Typing> {
        let (half, rest) = self.0.split_at(self.0.len() / 2);
        let typed = [half, rest].map(|part| crate::Typed::Bytes(Bytes::from_static(part.as_bytes())));
        Ok(Box::pin(futures_util::stream::iter(typed)))
    }
}

/// A place with one service file.
struct OneFile;

#[async_trait]
impl crate::Local for OneFile {
    async fn file(&self, _: &str) -> std::io::Result<crate::LocalFile> {
        Ok(crate::LocalFile {
            content: Bytes::from_static(b"name = \"web\"\nimage = \"web:1\"\n"),
            executable: false,
        })
    }

    async fn confirm(&self, _: &str) -> Option<bool> {
        None
    }

    fn terminal(&self) -> std::io::Result<crate::Terminal> {
        crate::Nothing.terminal()
    }

    fn input(&self) -> std::io::Result<crate::Typing> {
        crate::Nothing.input()
    }
}

/// A daemon that is away for some requests after the first.
struct Restarting(Mutex<u32>);

#[async_trait]
impl Api for Restarting {
    async fn call(&self, request: Request) -> Result<Bytes, CallError> {
        let count = {
            let mut count = self.0.lock().unwrap();
            *count += 1;
            *count
        };
        match (count, request.path.as_str()) {
            (1, _) => Ok(begun("web").to_string().into()),
            (2..5, _) => Err(CallError::Unreachable("nobody is here".into())),
            _ => Ok(operation("web", "done").to_string().into()),
        }
    }

    async fn open(&self, _: Request, _: &str) -> Result<Stream, CallError> {
        Err(CallError::Unreachable("nobody is here".into()))
    }

    async fn exchange(&self, _: &str, _: &str, _: Stream) -> Result<Stream, CallError> {
        Err(CallError::Unreachable("nobody is here".into()))
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_waited_for_over_a_restart_of_the_daemon() {
    let (printed, outcome) = run("bump web", &Restarting(Mutex::new(0))).await;
    outcome.unwrap();
    assert_eq!(printed.lines, ["web: bump of version 3 is done"]);
    assert_eq!(printed.warned, ["nobody is here"], "it is said once");
}
