//! Engines of several kinds, under several names.

use std::sync::Arc;

use orchestrator_plugin::{Engine, EngineSettings, Mark, SettingsSection};
use orchestrator_plugin_fake::FakeKind;
use orchestrator_plugins::KINDS;

use super::*;

/// A second kind, with settings of its own.
struct Boxes;

#[derive(Debug)]
struct BoxSettings {
    boxes: i64,
}

impl EngineKind for Boxes {
    fn name(&self) -> &'static str {
        "boxes"
    }

    fn read(&self, section: &mut dyn SettingsSection) -> Arc<dyn EngineSettings> {
        Arc::new(BoxSettings {
            boxes: section.whole("boxes", 1..=9).unwrap_or(3),
        })
    }
}

impl EngineSettings for BoxSettings {
    fn values(&self) -> Vec<(&'static str, String)> {
        vec![("boxes", self.boxes.to_string())]
    }

    fn build(&self, _: &str, _: Mark) -> Arc<dyn Engine> {
        unreachable!("nothing is built here")
    }
}

fn load(text: &str) -> Result<Settings, Faults> {
    let kinds: Vec<&dyn EngineKind> = KINDS.iter().copied().chain([&Boxes as &dyn EngineKind]).collect();
    parse_with(&kinds, text, std::iter::empty())
}

fn names(settings: &Settings) -> Vec<(&str, &str)> {
    let engines = settings.engines.names();
    engines
        .map(|name| (name, settings.engines.get(name).unwrap().kind))
        .collect()
}

const TEMPLATE: &str = "[template.web]\nimage = \"web\"\n";

#[test]
fn without_an_engine_there_is_one_of_the_first_kind() {
    let settings = load(TEMPLATE).unwrap();
    assert_eq!(names(&settings), [("docker", "docker")]);
    assert_eq!(settings.templates["web"].engine, "docker");
    assert_eq!(settings, load(&format!("[engine.docker]\n{TEMPLATE}")).unwrap());
}

#[test]
fn an_engine_that_is_written_is_there_alone_and_templates_run_on_it() {
    let settings = load(&format!("[engine.boxes]\nboxes = 5\n{TEMPLATE}")).unwrap();
    assert_eq!(names(&settings), [("boxes", "boxes")]);
    assert_eq!(settings.templates["web"].engine, "boxes");
    let values = settings.engines.get("boxes").unwrap().settings.values();
    assert_eq!(values, [("boxes", "5".to_owned())]);
}

#[test]
fn several_engines_of_one_kind_have_names_of_their_own() {
    let engines = "[engine.docker]\n[engine.other]\nkind = \"docker\"\nhost = \"/run/other.sock\"\n";
    let settings = load(&format!(
        "{engines}{TEMPLATE}[template.db]\nimage = \"db\"\nengine = \"other\"\n"
    ))
    .unwrap();
    assert_eq!(names(&settings), [("docker", "docker"), ("other", "docker")]);
    assert_eq!(settings.templates["web"].engine, "docker");
    assert_eq!(settings.templates["db"].engine, "other");
    let mark = Mark {
        site: orchestrator_model::Id::from_bytes([1; 6]),
    };
    let built = settings.engines.build(mark);
    let built: Vec<_> = built.iter().map(|engine| engine.name()).collect();
    assert_eq!(built, ["docker", "other"]);
}

#[test]
fn podman_has_a_socket_of_its_own_and_one_file_for_each_log() {
    let settings = load(&format!("[engine.podman]\nlog_size = \"64KiB\"\n{TEMPLATE}")).unwrap();
    assert_eq!(names(&settings), [("podman", "podman")]);
    let values = settings.engines.get("podman").unwrap().settings.values();
    assert!(
        values.contains(&("host", "unix:///run/podman/podman.sock".to_owned())),
        "{values:?}"
    );
    assert!(values.contains(&("log_size", "64KiB".to_owned())), "{values:?}");
    let faults = load(&format!("[engine.podman]\nlog_files = 2\n{TEMPLATE}")).unwrap_err();
    assert!(
        faults
            .to_string()
            .starts_with("engine.podman.log_files: is not a key that is known here")
    );
}

#[test]
fn a_log_has_a_size_within_bounds() {
    let faults = load(&format!(
        "[engine.docker]\nlog_size = \"2GiB\"\nlog_files = 0\n{TEMPLATE}"
    ))
    .unwrap_err();
    let faults = faults.to_string();
    let mut faults: Vec<&str> = faults.lines().collect();
    faults.sort_unstable();
    assert_eq!(
        faults,
        [
            "engine.docker.log_files: 0 is out of bounds; take 2 to 100",
            "engine.docker.log_size: 2GiB is out of bounds; take \"4KiB\" to \"1GiB\"",
        ]
    );
}

#[test]
fn what_is_wrong_with_an_engine_is_told_with_its_key() {
    let faults = load(
        "[engine.one]\n[engine.Two]\nkind = \"boxes\"\n[engine.three]\nkind = \"boxs\"\n\
         [engine.four]\nkind = \"boxes\"\nboxes = 10\nhost = \"x\"\n[template.web]\nimage = \"web\"\n",
    );
    let faults = faults.unwrap_err().to_string();
    let mut faults: Vec<&str> = faults.lines().collect();
    faults.sort_unstable();
    assert_eq!(
        faults,
        [
            "engine.Two: \"Two\" cannot be the name of an engine; take a small letter and then at most 31 small letters, \
             digits, \"-\" and \"_\"",
            "engine.four.boxes: 10 is out of bounds; take 1 to 9",
            "engine.four.host: is not a key that is known here; remove it, or use \"kind\" or \"boxes\"",
            "engine.one.kind: is missing; write what it is, like kind = \"docker\"",
            "engine.three.kind: \"boxs\" is not known here; did you mean \"boxes\"?",
            "template.web.engine: is missing, and there are several; write \"Two\", \"four\", \"one\" or \"three\"",
        ]
    );
}

#[test]
fn an_engine_that_comes_or_goes_needs_a_restart_and_nothing_runs_on_it_before() {
    let one = load(&format!("[engine.boxes]\n{TEMPLATE}")).unwrap();
    let two = load(&format!(
        "[engine.boxes]\nboxes = 4\n[engine.docker]\n{TEMPLATE}engine = \"boxes\"\n"
    ))
    .unwrap();
    let reload = plan_reload(&one, two.clone()).unwrap();
    let changes: Vec<_> = reload.changes.iter().map(ToString::to_string).collect();
    assert_eq!(
        changes,
        ["engine.boxes.boxes: needs-restart", "engine.docker: needs-restart"]
    );
    assert_eq!(reload.settings.engines, one.engines);
    let on_the_new_one = load(&format!(
        "[engine.boxes]\n[engine.docker]\n{TEMPLATE}engine = \"docker\"\n"
    ));
    let refused = plan_reload(&one, on_the_new_one.unwrap()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "template.web.engine: \"docker\" is no engine of the running daemon; restart the daemon to have it use that engine"
    );
}

#[tokio::test]
async fn an_engine_of_tests_is_registered_built_and_asked_like_any_other() {
    let kind = FakeKind::default();
    kind.world.add_image("web", None);
    let text = format!("[engine.spare]\nkind = \"fake\"\n{TEMPLATE}");
    let settings = parse_with(&[&kind], &text, std::iter::empty()).unwrap();
    assert_eq!(names(&settings), [("spare", "fake")]);
    let mark = Mark {
        site: orchestrator_model::Id::from_bytes([1; 6]),
    };
    let engines = settings.engines.build(mark);
    assert_eq!(engines[0].name(), settings.templates["web"].engine);
    engines[0].check_image("web").await.unwrap();
    let unknown = parse(&text, std::iter::empty()).unwrap_err().to_string();
    assert!(
        unknown.starts_with("engine.spare.kind: \"fake\" is not known here"),
        "{unknown}"
    );
}
