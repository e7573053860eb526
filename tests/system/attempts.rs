//! Why an instance is not ready, and for how long that is shown.

use orchestrator_lab::{Dhclient, wait_for};
use serde_json::Value;

use crate::site::{PATIENCE, Plan, Site, text};

/// An instance whose process runs for a while, never listens, and ends.
fn ends_early() -> Plan {
    Plan {
        template: Some("grace = \"1s\"\ncommand = [\"sh\", \"-c\", \"sleep 2; exit 7\"]".to_owned()),
        ..Plan::default()
    }
}

/// The only instance, once it says why it is not ready.
fn first_reason(site: &Site) -> Value {
    wait_for("the reason", PATIENCE, || {
        let instances = site.instances().into_iter();
        instances.into_iter().find(|instance| instance["reason"].is_string())
    })
}

#[test]
fn a_process_that_ends_before_it_answers_is_seen_with_its_exit_code() {
    let site = Site::start(&ends_early());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    client.address(PATIENCE).unwrap();
    let reason = text(&first_reason(&site), "reason");
    assert!(reason.contains("exit code 7"), "{reason}");
    assert!(!reason.contains("left running"), "{reason}");
}

#[test]
fn the_reason_of_a_failure_is_shown_while_it_is_tried_again() {
    let site = Site::start(&ends_early());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    client.address(PATIENCE).unwrap();
    first_reason(&site);
    let mut seen = Vec::new();
    wait_for("a third failure", PATIENCE, || {
        let instance = site.instances().into_iter().next()?;
        let (phase, attempts) = (text(&instance, "phase"), instance["attempts"].as_u64()?);
        assert!(
            instance["reason"].is_string(),
            "{phase} after {attempts} tries without a reason"
        );
        if phase == "starting" && seen.is_empty() {
            // What people read says the same as the API.
            let listed = String::from_utf8(site.daemon.cli(&["ls"]).unwrap().stdout).unwrap();
            assert!(listed.contains("exit code 7"), "{listed}");
        }
        seen.push(phase);
        (attempts >= 3).then_some(())
    });
    assert!(seen.iter().any(|phase| phase == "starting"), "{seen:?}");
}

#[test]
fn the_last_lines_of_an_instance_that_ended_are_in_its_timeline() {
    let lines = r"for n in 1 2 3; do echo line $n; done; printf '\033[2Jno \007bell\n' >&2; exit 3";
    let plan = Plan {
        template: Some(format!("grace = \"1s\"\ncommand = [\"sh\", \"-c\", '''{lines}''']")),
        ..Plan::default()
    };
    let site = Site::start(&plan);
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    client.address(PATIENCE).unwrap();
    let output = wait_for("its output", PATIENCE, || {
        let events = site.daemon.items("/v1/events").ok()?;
        events.into_iter().find(|event| event["kind"] == "instance-output")
    });
    let detail = text(&output, "detail");
    let mut written: Vec<_> = detail.lines().collect();
    written.sort_unstable();
    assert_eq!(written, ["\\u{1b}[2Jno \\u{7}bell", "line 1", "line 2", "line 3"]);
    let shown = String::from_utf8(site.daemon.cli(&["events"]).unwrap().stdout).unwrap();
    assert!(shown.contains("\n    | line 3\n"), "{shown}");
}
