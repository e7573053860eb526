//! Executables that do not do as they must.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_plugin::{
    Capabilities, Capability, Change, Container, ContainerSpec, Engine, EngineError, Id, Mark, NetworkMode, Remedy,
};
use orchestrator_plugin_exec::{ExecEngine, ExecSettings};
use tokio::sync::mpsc;
use tokio::time::timeout;

const OWN: NetworkMode = NetworkMode::EngineNamespace;

/// More than anything here should take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const VERSION: &str =
    r#"{"result":{"protocols":[1],"name":"Script","version":"1","capabilities":["engine-namespace"]}}"#;

/// A shell script as an executable, in a directory of its own that goes with it.
struct Script {
    place: PathBuf,
}

impl Script {
    /// One that answers VERSION, and does this for each other verb, which is in `$verb`. The request is in `$request`.
    fn new(body: &str) -> Self {
        Self::raw(&format!(
            "case $verb in VERSION) echo '{VERSION}'; exit 0 ;; esac\n{body}"
        ))
    }

    /// One that does this for each verb.
    fn raw(body: &str) -> Self {
        let place = std::env::temp_dir().join(format!("orchestrator-script-{}", Id::random().unwrap()));
        fs::create_dir(&place).unwrap();
        let head = "#!/bin/sh\ncd \"$1\"\nrequest=$(cat)\nverb=${request#*'\"verb\":\"'}\nverb=${verb%%'\"'*}\necho \"$verb\" >>asked\n";
        fs::write(place.join("program"), format!("{head}{body}\n")).unwrap();
        fs::set_permissions(place.join("program"), fs::Permissions::from_mode(0o755)).unwrap();
        Self { place }
    }

    fn engine(&self, limit: Duration) -> Arc<ExecEngine> {
        let settings = ExecSettings {
            arguments: vec![self.place.display().to_string()],
            timeout: limit,
            poll: Duration::from_millis(100),
            ..ExecSettings::of(self.place.join("program"))
        };
        let site = Id::random().unwrap();
        Arc::new(ExecEngine::new("script", settings, Mark { site }))
    }

    /// The verbs that were asked, in their order.
    fn asked(&self) -> Vec<String> {
        let text = fs::read_to_string(self.place.join("asked")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    async fn until_asked(&self, verb: &str) {
        let seen = async {
            while !self.asked().iter().any(|asked| asked == verb) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, seen).await.expect("it is asked");
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.place);
    }
}

fn container() -> Container {
    Container::main(Id::random().unwrap())
}

async fn ensure(engine: &ExecEngine, container: &Container) -> Result<orchestrator_plugin::Found, EngineError> {
    engine.ensure(container, &ContainerSpec::default(), &OWN).await
}

#[tokio::test]
async fn an_answer_that_is_none_is_an_error_with_what_it_said() {
    for (body, words) in [
        ("echo no space left >&2; exit 3", "exit code 3; it says: no space left"),
        ("echo nonsense", "is not what the protocol says"),
        ("echo '{}'", "neither a result nor an error"),
        (
            "echo '{\"result\":{\"containers\":[]}}'; exit 1",
            "answered a result and ended with exit code 1",
        ),
        (
            "echo '{\"result\":{\"containers\":[]}} and more'",
            "is not what the protocol says",
        ),
        ("kill -9 $$", "signal: 9"),
        ("yes", "wrote more than"),
        (
            "echo '{\"result\":{\"containers\":[{\"instance\":\"../..\",\"name\":\"main\",\"reference\":\"x\",\"state\":\"created\"}]}}'",
            "its answer is wrong: \"../..\" is not an id",
        ),
        ("printf '\\033[2Jbad\\n' >&2; exit 1", "\\u{1b}[2Jbad"),
    ] {
        let script = Script::new(body);
        let fault = script.engine(PATIENCE).list().await.unwrap_err();
        assert_eq!(fault.code(), "engine-failed", "{body}: {fault}");
        assert!(fault.to_string().contains(words), "{body}: {fault}");
    }
}

#[tokio::test]
async fn codes_of_errors_say_what_helps() {
    let answer = |code: u32| format!("echo '{{\"error\":{{\"code\":{code},\"message\":\"because\"}}}}'; exit 1");
    for (code, named, remedy) in [
        (3, "not-running", Remedy::Retry),
        (4, "image-missing", Remedy::Operator),
        (7, "engine-refused", Remedy::Operator),
        (11, "engine-failed", Remedy::Retry),
        (12, "engine-unavailable", Remedy::Engine),
        (100, "engine-failed", Remedy::Retry),
    ] {
        let script = Script::new(&answer(code));
        let fault = ensure(&script.engine(PATIENCE), &container()).await.unwrap_err();
        assert_eq!((fault.code(), fault.remedy()), (named, remedy), "{code}");
        assert_eq!(script.asked(), ["VERSION", "ADD"], "nothing is tried again by itself");
    }
}

#[tokio::test]
async fn versions_and_capabilities_are_settled_before_anything_is_asked() {
    let version = |protocols: &str, capabilities: &str| {
        Script::raw(&format!(
            "echo '{{\"result\":{{\"protocols\":{protocols},\"name\":\"S\",\"version\":\"1\",\"capabilities\":{capabilities}}}}}'"
        ))
    };
    for (protocols, capabilities, words) in [
        ("[2]", "[\"tap\"]", "it speaks protocol [2] and this daemon [1]"),
        ("[1]", "[\"wings\"]", "its capability \"wings\" is not one of"),
        ("[1]", "[]", "it gives containers no network"),
    ] {
        let script = version(protocols, capabilities);
        let engine = script.engine(PATIENCE);
        let fault = ensure(&engine, &container()).await.unwrap_err();
        assert_eq!(fault.code(), "engine-refused");
        assert!(fault.to_string().contains(words), "{fault}");
        assert_eq!(script.asked(), ["VERSION"]);
        assert_eq!(engine.capabilities(), Capabilities::NONE);
    }
    let script = version("[1, 7]", "[\"prepared-namespace\"]");
    let engine = script.engine(PATIENCE);
    assert_eq!(
        engine.learn_capabilities().await.unwrap(),
        Capability::PreparedNamespace.into()
    );
    let fault = ensure(&engine, &container()).await.unwrap_err();
    assert_eq!(fault.code(), "engine-unsupported");
    assert_eq!(script.asked(), ["VERSION"], "it is not asked for what it cannot do");
}

#[tokio::test]
async fn one_that_became_another_meanwhile_is_refused_until_the_daemon_starts_again() {
    let script = Script::raw(
        "can=engine-namespace; test -e other && can=tap; : >other\n\
         echo '{\"result\":{\"protocols\":[1],\"name\":\"S\",\"version\":\"1\",\"capabilities\":[\"'$can'\"]}}'",
    );
    let engine = script.engine(PATIENCE);
    engine.check().await.unwrap();
    let fault = engine.check().await.unwrap_err();
    assert!(fault.to_string().contains("restart the daemon"), "{fault}");
    assert_eq!(engine.capabilities(), Capability::EngineNamespace.into());
}

#[tokio::test]
async fn one_that_is_not_there_is_an_engine_that_is_down() {
    let settings = ExecSettings::of("/no/such/executable");
    let site = Id::random().unwrap();
    let engine = ExecEngine::new("gone", settings, Mark { site });
    let fault = engine.check().await.unwrap_err();
    assert_eq!(fault.remedy(), Remedy::Engine);
    assert!(fault.to_string().contains("/no/such/executable"), "{fault}");
}

#[tokio::test]
async fn a_removal_waits_for_a_creation_that_was_dropped_and_follows_it() {
    let script = Script::new(
        "case $verb in\n\
         ADD) echo begun >state; exec sleep 600 ;;\n\
         DELETE) rm state; echo '{\"result\":{}}' ;;\n\
         esac",
    );
    let (engine, container) = (script.engine(PATIENCE), container());
    let adding = tokio::spawn({
        let (engine, container) = (engine.clone(), container.clone());
        async move { ensure(&engine, &container).await }
    });
    script.until_asked("ADD").await;
    adding.abort();
    let _ = adding.await;
    engine.remove(&container).await.unwrap();
    assert_eq!(script.asked(), ["VERSION", "ADD", "DELETE"]);
    assert!(!script.place.join("state").exists());
}

#[tokio::test]
async fn nothing_that_hangs_holds_a_removal_up_for_ever() {
    let script = Script::new("exec sleep 600");
    let (engine, container) = (script.engine(Duration::from_secs(1)), container());
    let adding = tokio::spawn({
        let (engine, container) = (engine.clone(), container.clone());
        async move { ensure(&engine, &container).await }
    });
    script.until_asked("ADD").await;
    let removed = timeout(PATIENCE, engine.remove(&container)).await.expect("it ends");
    assert_eq!(removed.unwrap_err().code(), "engine-timeout");
    assert_eq!(adding.await.unwrap().unwrap_err().code(), "engine-timeout");
}

#[tokio::test]
async fn many_that_hang_keep_no_removal_of_another_container_from_running() {
    let script = Script::new("case $verb in DELETE) echo '{\"result\":{}}' ;; *) exec sleep 600 ;; esac");
    let engine = script.engine(PATIENCE);
    engine.learn_capabilities().await.unwrap();
    let hanging: Vec<_> = (0..40)
        .map(|number| {
            let engine = engine.clone();
            tokio::spawn(async move {
                match number % 2 {
                    0 => drop(ensure(&engine, &container()).await),
                    _ => drop(engine.find(&container()).await),
                }
            })
        })
        .collect();
    script.until_asked("ADD").await;
    timeout(PATIENCE, engine.remove(&container()))
        .await
        .expect("it runs")
        .unwrap();
    for task in hanging {
        task.abort();
        let _ = task.await;
    }
}

#[tokio::test]
async fn an_answer_about_another_container_is_an_error() {
    let body = r#"echo '{"result":{"container":{"instance":"3f9a2c01d2e4","name":"main","reference":"x","state":"created"}}}'"#;
    let script = Script::new(body);
    let engine = script.engine(PATIENCE);
    for fault in [
        ensure(&engine, &container()).await.unwrap_err(),
        engine.find(&container()).await.unwrap_err(),
    ] {
        assert!(
            fault.to_string().contains("it answered about container 3f9a2c01d2e4"),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn a_watch_ends_with_the_error_of_the_first_answer_that_fails() {
    let script = Script::new("test -e fail && exit 9; echo '{\"result\":{\"containers\":[]}}'");
    let engine = script.engine(PATIENCE);
    let (sender, mut changes) = mpsc::channel(4);
    let watching = tokio::spawn({
        let engine = engine.clone();
        async move { engine.watch(sender).await }
    });
    assert_eq!(changes.recv().await, Some(Change::Everything));
    fs::write(script.place.join("fail"), "").unwrap();
    let fault = timeout(PATIENCE, watching).await.expect("it ends").unwrap();
    assert!(fault.to_string().contains("exit code 9"), "{fault}");
}

/// Without `image-pins` an id is only shown, so that it may be any text.
#[tokio::test]
async fn an_id_of_an_image_that_cannot_be_passed_back_is_an_error_where_templates_are_pinned() {
    let answers = "CHECK_IMAGE) echo '{\"result\":{\"id\":\"of the day\"}}' ;; esac";
    let plain = Script::new(&format!("case $verb in {answers}"));
    assert_eq!(
        plain.engine(PATIENCE).check_image("web").await.unwrap().id,
        "of the day"
    );
    let pinned = VERSION.replace("\"engine-namespace\"", "\"engine-namespace\",\"image-pins\"");
    let pinned = Script::raw(&format!("case $verb in VERSION) echo '{pinned}' ;; {answers}"));
    let fault = pinned.engine(PATIENCE).check_image("web").await.unwrap_err();
    assert_eq!(fault.remedy(), Remedy::Retry, "{fault}");
    assert!(fault.to_string().contains("printable ASCII without spaces"), "{fault}");
}
