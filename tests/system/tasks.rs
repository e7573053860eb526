//! What the tasks of the daemon do, as an operator sees it.

use std::path::Path;

use orchestrator_lab::{Daemon, Dhclient, Engine, Lab, Postgres, wait_for};
use serde_json::Value;

use crate::site::{BINARY, PATIENCE, Plan, Site};

/// The task of this name, where there is one.
fn task(site: &Site, name: &str) -> Option<Value> {
    let tasks = site.daemon.items("/v1/tasks").ok()?;
    tasks.into_iter().find(|task| task["name"] == name)
}

/// Waits until the task of this name is in this state.
fn wait_for_task(site: &Site, name: &str, state: &str) -> Value {
    wait_for(&format!("task {name} to be {state}"), PATIENCE, || {
        task(site, name).filter(|task| task["state"] == state)
    })
}

#[test]
fn a_link_whose_bridge_is_away_is_shown_as_failing_with_its_next_try() {
    let plan = Plan {
        template: None,
        ..Plan::default()
    };
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    let settings = |place: &str| plan.settings(place).replace("create = true", "create = false");
    let daemon = Daemon::start(&host, Path::new(BINARY), settings).unwrap();
    let site = Site { lab, host, daemon };
    // Between two tries: a try that is under way has no next one.
    let failing = wait_for("the next try of the link", PATIENCE, || {
        task(&site, "link br0").filter(|task| task["next_try"].is_string())
    });
    assert_eq!(
        (failing["state"].as_str(), failing["last_result"].as_str()),
        (Some("failing"), Some("failed"))
    );
    assert!(
        failing["reason"].as_str().unwrap().contains("br0 is missing"),
        "{failing}"
    );
    assert!(
        failing["next_try"].as_str() > failing["last_start"].as_str(),
        "{failing}"
    );
    site.host.bridge("br0", None).unwrap();
    let served = wait_for_task(&site, "link br0", "running");
    assert_eq!(
        (served["failures"].as_u64(), &served["next_try"]),
        (Some(0), &Value::Null),
        "{served}"
    );
    let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
    assert!(
        metrics.contains("orchestrator_task_failures_total{task=\"link\"}"),
        "{metrics}"
    );
}

#[test]
fn a_database_that_is_away_is_shown_as_a_task_that_is_tried_again() {
    let mut postgres = Postgres::start(&Lab::new().unwrap()).unwrap();
    let url = postgres.database().unwrap();
    postgres.stop().unwrap();
    let site = Site::start_unready(&Plan {
        store: Some(url),
        template: None,
        ..Plan::default()
    });
    let failing = wait_for("the next try of the database", PATIENCE, || {
        task(&site, "database").filter(|task| task["next_try"].is_string())
    });
    assert_eq!(
        (failing["state"].as_str(), failing["last_result"].as_str()),
        (Some("failing"), Some("failed"))
    );
    postgres.resume().unwrap();
    for name in [
        "database",
        "lease expiry",
        "history",
        "spool",
        "links",
        "wall clock",
        "secrets",
        "full pass",
        "host local",
    ] {
        wait_for_task(&site, name, "waiting");
    }
    wait_for_task(&site, "link br0", "running");
}

/// The condition of this name, where there is one.
fn condition(site: &Site, name: &str) -> Option<Value> {
    let (_, ready) = site.daemon.api("GET", "/v1/ready").ok()?;
    let conditions = ready["conditions"].as_array()?.clone();
    conditions.into_iter().find(|condition| condition["name"] == name)
}

#[test]
fn an_engine_that_is_away_and_an_instance_that_waits_for_it_are_shown_until_it_is_back() {
    let engine = Engine::start(&Lab::new().unwrap().namespace("engine").unwrap()).unwrap();
    engine.import_test_image().unwrap();
    let site = Site::start(&Plan::on(&engine));
    let machine = site.machine("client");
    let watched = wait_for_task(&site, "engine docker", "running");
    assert!(watched["detail"].is_string(), "{watched}");

    engine.stop().unwrap();
    let away = wait_for("the next try of the engine", PATIENCE, || {
        task(&site, "engine docker").filter(|task| task["next_try"].is_string())
    });
    assert_eq!(
        (away["state"].as_str(), away["last_result"].as_str()),
        (Some("failing"), Some("failed"))
    );
    assert!(away["reason"].as_str().unwrap().contains("does not answer"), "{away}");
    assert_eq!(condition(&site, "engine docker").unwrap()["reason"], away["reason"]);
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    client.address(PATIENCE).unwrap();
    let waiting = wait_for("the row of the instance", PATIENCE, || {
        let tasks = site.daemon.items("/v1/tasks").ok()?;
        let mut own = tasks
            .into_iter()
            .filter(|task| task["name"].as_str().is_some_and(|name| name.starts_with("instance ")));
        own.find(|task| task["next_try"].is_string())
    });
    let shown = tasks(&site, &[]);
    assert!(shown.contains(waiting["name"].as_str().unwrap()), "{shown}");
    assert!(
        waiting["reason"].as_str().unwrap().contains("does not answer"),
        "{waiting}"
    );

    engine.resume().unwrap();
    let back = wait_for_task(&site, "engine docker", "running");
    assert_eq!(back["failures"].as_u64(), Some(0), "{back}");
    assert_eq!(condition(&site, "engine docker").unwrap()["ok"], true);
    let instance = &site.wait_ready(1)[0];
    assert_eq!(
        waiting["name"],
        format!("instance {}", instance["id"].as_str().unwrap())
    );
    wait_for("the row of the instance to end", PATIENCE, || {
        task(&site, waiting["name"].as_str().unwrap()).is_none().then_some(())
    });

    // One that hangs is shown as well, although its stream of events stays open.
    engine.freeze().unwrap();
    let hangs = wait_for_task(&site, "engine docker", "failing");
    assert!(
        hangs["next_try"].is_string() && hangs["reason"].as_str().unwrap().contains("does not answer"),
        "{hangs}"
    );
    engine.thaw().unwrap();
    let well = wait_for_task(&site, "engine docker", "running");
    assert_eq!(well["next_try"], Value::Null, "{well}");
}

/// What the verb prints with these arguments.
fn tasks(site: &Site, arguments: &[&str]) -> String {
    let output = site.daemon.cli(&[&["tasks"], arguments].concat()).unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_verb_shows_every_task_and_a_link_that_is_left_takes_its_task_with_it() {
    let plan = Plan {
        template: None,
        ..Plan::default()
    };
    let site = Site::start(&plan);
    wait_for_task(&site, "link br0", "running");
    let shown = tasks(&site, &[]);
    assert!(shown.starts_with("TASK") && shown.contains("link br0"), "{shown}");
    let wide = tasks(&site, &["-o", "wide"]);
    assert!(wide.contains("serves the clients of a link"), "{wide}");
    let json: Value = serde_json::from_str(&tasks(&site, &["-o", "json"])).unwrap();
    assert!(
        json.as_array().unwrap().iter().any(|task| task["name"] == "routes"),
        "{json}"
    );
    let place = site.daemon.place().display().to_string();
    let left = plan.settings(&place).replace("\"br0\"", "\"br1\"");
    std::fs::write(site.daemon.place().join("settings.toml"), left).unwrap();
    assert!(site.daemon.cli(&["reload"]).unwrap().status.success());
    wait_for("the task of the other link", PATIENCE, || task(&site, "link br1"));
    wait_for("the task of the link that was left to end", PATIENCE, || {
        task(&site, "link br0").is_none().then_some(())
    });
}
