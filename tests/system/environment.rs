//! What an instance finds in its environment, and who else sees it.

use std::fs;

use orchestrator_lab::{Dhclient, Engine, wait_for};

use crate::site::{PATIENCE, Plan, Site, text};

#[test]
fn a_value_from_a_file_reaches_the_container_and_is_recorded_and_shown_nowhere() {
    const SECRET: &str = "c0rrect-horse-battery";
    // Each run's own: the test removes it.
    let file = std::env::temp_dir().join(format!("orchestrator-secret-{}", std::process::id()));
    let site = Site::start(&Plan {
        template: Some(format!(
            "grace = \"1s\"\nenvironment = {{ TOKEN = {{ file = \"{}\" }} }}",
            file.display()
        )),
        ..Plan::default()
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    // Without its file the instance waits, and says for what.
    let waiting = wait_for("the instance to say what it lacks", PATIENCE, || {
        site.instances()
            .into_iter()
            .find(|instance| instance["reason"].is_string())
    });
    let reason = text(&waiting, "reason");
    assert!(reason.contains("TOKEN") && reason.contains("No such file"), "{reason}");
    fs::write(&file, format!("{SECRET}\n")).unwrap();
    let instance = site.wait_ready_for(leased);
    fs::remove_file(&file).unwrap();
    let path = format!("/containers/{}/json", text(&instance, "reference"));
    let container = Engine::shared().api("GET", &path, None).unwrap().json().unwrap();
    let variables = container["Config"]["Env"].as_array().unwrap();
    assert!(variables.contains(&format!("TOKEN={SECRET}").into()), "{variables:?}");
    for path in [
        "/v1/instances",
        "/v1/events",
        &format!("/v1/clients/{}", text(&instance, "client")),
    ] {
        let (_, shown) = site.daemon.api("GET", path).unwrap();
        assert!(!shown.to_string().contains(SECRET), "{path}: {shown}");
    }
    assert!(!site.daemon.log().contains(SECRET), "{}", site.daemon.log());
    let database = |suffix: &str| fs::read(site.daemon.place().join(format!("orchestrator.db{suffix}"))).unwrap();
    let recorded = [database(""), database("-wal")].concat();
    let holds = |word: &str| recorded.windows(word.len()).any(|window| window == word.as_bytes());
    assert!(holds("TOKEN"), "the test looks where instances are recorded");
    assert!(!holds(SECRET));
}
