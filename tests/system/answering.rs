//! Instances that stop answering after they were ready.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use orchestrator_lab::{Dhclient, Engine, TEST_PORT, wait_for};
use serde_json::Value;

use crate::site::{PATIENCE, PREFIX, Plan, Site, address, first_process, host_end, ip_inside, text};

/// The processes of an instance but for the engine's own init.
fn processes(instance: &Value) -> Vec<Pid> {
    let path = format!("/containers/{}/top?ps_args=-eo%20pid", text(instance, "reference"));
    let listed = Engine::shared().api("GET", &path, None).unwrap().json().unwrap();
    let init = first_process(instance);
    let ids = listed["Processes"].as_array().unwrap().iter();
    let ids = ids.map(|row| row[0].as_str().unwrap().trim().parse::<i32>().unwrap());
    ids.filter(|id| i64::from(*id) != init).map(Pid::from_raw).collect()
}

/// Waits until the only instance is not ready for a reason with these words.
fn wait_reason(site: &Site, words: &str) -> Value {
    wait_for(
        &format!("an instance with a reason that says {words:?}"),
        PATIENCE,
        || {
            let instance = site.instances().into_iter().next()?;
            let reason = instance["reason"].as_str()?;
            (reason.contains(words) && instance["phase"] != "ready").then(|| instance.clone())
        },
    )
}

/// Kills the processes of an instance that have this name.
fn kill_by_name(instance: &Value, name: &str) {
    let mut killed = 0;
    for process in processes(instance) {
        let command = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        if command.trim() == name {
            kill(process, Signal::SIGKILL).unwrap();
            killed += 1;
        }
    }
    assert!(killed > 0, "no {name} in {instance}");
}

/// The events of a kind, as their details.
fn details(site: &Site, kind: &str) -> Vec<String> {
    let events = site.daemon.items("/v1/events?limit=5000").unwrap();
    let of_kind = events.iter().filter(|event| event["kind"] == kind);
    of_kind.map(|event| text(event, "detail")).collect()
}

/// A site whose instances are checked often, and restarted so many times.
fn checked(restarts: u32) -> Plan {
    Plan {
        ready: Some(format!(
            "{{ tcp = {TEST_PORT}, within = \"3s\", every = \"1s\", failures = 2, restarts = {restarts} }}"
        )),
        ..Plan::default()
    }
}

/// Checks with an outcome that the daemon has counted.
fn checks(site: &Site, outcome: &str) -> u64 {
    let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
    let name = format!("orchestrator_instance_checks_total{{outcome=\"{outcome}\"}} ");
    let count = metrics.lines().find_map(|line| line.strip_prefix(&name));
    count.map_or(0, |count| count.parse().unwrap())
}

/// Waits until so many more checks had an outcome.
fn wait_checked(site: &Site, outcome: &str, more: u64) {
    let before = checks(site, outcome);
    wait_for(&format!("{more} checks that come out {outcome}"), PATIENCE, || {
        (checks(site, outcome) >= before + more).then_some(())
    });
}

#[test]
fn an_instance_whose_process_is_stopped_is_seen_and_restarted() {
    let mut site = Site::start(&checked(5));
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    // The daemon that sees it is another one than the one that made it.
    site.daemon.stop().unwrap();
    site.daemon.resume().unwrap();
    wait_checked(&site, "reacted", 2);
    let stopped = processes(&before);
    assert!(!stopped.is_empty());
    for process in stopped {
        kill(process, Signal::SIGSTOP).unwrap();
    }
    wait_for("the instance to be no longer ready, with the reason", PATIENCE, || {
        let instance = site.instances().into_iter().next()?;
        (instance["phase"] != "ready" && instance["reason"].is_string()).then_some(())
    });
    assert!(details(&site, "instance-disturbed")[0].contains("stopped answering"));
    let after = &site.wait_ready(1)[0];
    assert_eq!(
        (&after["id"], &after["reference"]),
        (&before["id"], &before["reference"])
    );
    assert_eq!(machine.get(address(after), TEST_PORT, "/").unwrap().status, 200);
    assert!(!details(&site, "instance-restarted").is_empty());
}

#[test]
fn an_instance_that_restarts_do_not_help_is_left_running_and_says_so() {
    // It serves until it is told to stop, and never again.
    let script = "test -e /tmp/served || httpd -p [::]:80 -h /www; : >/tmp/served; exec sleep 3600";
    let site = Site::start(&Plan {
        template: Some(format!("grace = \"1s\"\ncommand = [\"sh\", \"-c\", \"{script}\"]")),
        ..checked(2)
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    kill_by_name(&before, "httpd");
    let left = wait_reason(&site, "up to 2 times in vain");
    assert_eq!((&left["id"], left["phase"].as_str()), (&before["id"], Some("starting")));
    assert!(first_process(&left) > 0, "it is said to run, and does");
    assert_eq!(details(&site, "instance-restarted").len(), 2);
    // A client that leaves takes it along as ever.
    client.release().unwrap();
    site.wait_none();
}

#[test]
fn an_instance_that_is_not_to_be_restarted_is_ready_again_when_it_goes_on() {
    let site = Site::start(&checked(0));
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    wait_checked(&site, "reacted", 1);
    let (first, stopped) = (first_process(&before), processes(&before));
    for process in &stopped {
        kill(*process, Signal::SIGSTOP).unwrap();
    }
    wait_reason(&site, "left running");
    for process in stopped {
        kill(process, Signal::SIGCONT).unwrap();
    }
    let after = &site.wait_ready(1)[0];
    assert_eq!(first_process(after), first);
    assert_eq!(after["reason"], Value::Null);
    assert_eq!(details(&site, "instance-restarted"), [""; 0]);
}

#[test]
fn a_wrong_port_in_the_settings_restarts_no_instance() {
    let site = Site::start(&checked(5));
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let first = first_process(&before);
    let file = site.daemon.place().join("settings.toml");
    let right = std::fs::read_to_string(&file).unwrap();
    let reload = |text: &str| {
        std::fs::write(&file, text).unwrap();
        assert_eq!(site.daemon.api("POST", "/v1/settings/reload").unwrap().0, 200);
    };
    reload(&right.replace("tcp = 80", "tcp = 81"));
    wait_reason(&site, "since the daemon started or its `ready` changed");
    wait_for("more tries", PATIENCE, || {
        let instance = site.instances().into_iter().next()?;
        (instance["attempts"].as_u64()? >= 3).then_some(())
    });
    reload(&right);
    let after = &site.wait_ready(1)[0];
    assert_eq!(first_process(after), first);
    assert_eq!(details(&site, "instance-restarted"), [""; 0]);
}

#[test]
fn an_instance_that_is_paused_by_hand_goes_on() {
    let site = Site::start(&checked(5));
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    wait_checked(&site, "reacted", 1);
    let process = first_process(&before);
    let path = format!("/containers/{}/pause", text(&before, "reference"));
    assert_eq!(Engine::shared().api("POST", &path, None).unwrap().status, 204);
    wait_for("the disturbance to be told", PATIENCE, || {
        (!details(&site, "instance-disturbed").is_empty()).then_some(())
    });
    let after = &site.wait_ready(1)[0];
    assert_eq!(machine.get(address(after), TEST_PORT, "/").unwrap().status, 200);
    assert_eq!(first_process(after), process, "it was woken and not restarted");
}

#[test]
fn an_attachment_that_somebody_takes_off_its_bridge_or_sets_down_is_put_back() {
    let site = Site::start(&checked(5));
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let (process, host_end) = (first_process(&before), host_end(&before));
    for (number, change) in (1..).zip([format!("{host_end} nomaster"), format!("{host_end} down")]) {
        site.host.ip(&format!("link set {change}")).unwrap();
        wait_for("the disturbance to be told", PATIENCE, || {
            let told = details(&site, "instance-disturbed");
            (told.len() >= number && told.iter().all(|detail| detail.contains("attachment"))).then_some(())
        });
        let after = &site.wait_ready(1)[0];
        assert_eq!(
            machine.get(address(after), TEST_PORT, "/").unwrap().status,
            200,
            "{change}"
        );
        assert_eq!(
            first_process(after),
            process,
            "it was wired again and not restarted: {change}"
        );
    }
}

#[test]
fn a_container_that_its_engine_restarts_by_somebody_s_policy_is_wired_again() {
    let site = Site::start(&checked(5));
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let path = format!("/containers/{}/update", text(&before, "reference"));
    let policy = serde_json::json!({"RestartPolicy": {"Name": "always"}});
    assert_eq!(Engine::shared().api("POST", &path, Some(&policy)).unwrap().status, 200);
    let process = first_process(&before);
    kill_by_name(&before, "httpd");
    wait_for("another process, wired and ready", PATIENCE, || {
        let ready = site.in_phase("ready").into_iter().next()?;
        let now = first_process(&ready);
        (now > 0 && now != process).then_some(())?;
        let page = machine.get(address(&ready), TEST_PORT, "/").ok()?;
        (page.status == 200).then_some(())
    });
    // It goes like any other, whatever its policy.
    client.release().unwrap();
    site.wait_none();
    wait_for("its container to be gone", PATIENCE, || {
        site.containers(Engine::shared()).is_empty().then_some(())
    });
}

#[test]
fn a_bridge_that_is_down_is_not_held_against_its_instances() {
    let site = Site::start(&checked(5));
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let process = first_process(&before);
    wait_checked(&site, "reacted", 1);
    // A machine with another way out, on which packets for the link would leave that has lost its address.
    site.host.connect("up0", &machine, "up0", None).unwrap();
    site.host.ip("address add fd99::2/64 dev up0 nodad").unwrap();
    site.host.ip("-6 route add default via fd99::1").unwrap();
    // The daemon brings it up again each time, after longer and longer pauses: somebody keeps it down.
    let unknown = checks(&site, "unknown");
    wait_for("5 checks that come out unknown", PATIENCE, || {
        site.host.ip("link set br0 down").unwrap();
        (checks(&site, "unknown") >= unknown + 5).then_some(())
    });
    site.host.ip("link set br0 up").unwrap();
    // The daemon restores the address when its pause is over; this test does not wait for that.
    let _ = site.host.ip(&format!("address add {PREFIX}::1/64 dev br0 nodad"));
    wait_checked(&site, "reacted", 3);
    assert_eq!(details(&site, "instance-restarted"), [""; 0]);
    let after = &site.wait_ready(1)[0];
    assert_eq!(first_process(after), process);
}

#[test]
fn an_address_that_is_removed_inside_is_given_back_without_a_restart() {
    let site = Site::start(&checked(5));
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let process = first_process(&before);
    ip_inside(&site, &before, "address flush dev eth1 scope global");
    wait_for("the disturbance to be told", PATIENCE, || {
        let told = details(&site, "instance-disturbed");
        told.iter().any(|detail| detail.contains("its address")).then_some(())
    });
    let after = &site.wait_ready(1)[0];
    assert_eq!(machine.get(address(after), TEST_PORT, "/").unwrap().status, 200);
    assert_eq!(first_process(after), process, "it was wired again and not restarted");
}

#[test]
fn the_wiring_of_an_instance_that_nobody_probes_is_looked_at_too() {
    let site = Site::start(&Plan {
        ready: None,
        ..Plan::default()
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    ip_inside(&site, &before, "link set eth1 down");
    wait_for("the disturbance to be told", PATIENCE, || {
        let told = details(&site, "instance-disturbed");
        told.iter().any(|detail| detail.contains("is down")).then_some(())
    });
    let after = &site.wait_ready(1)[0];
    wait_for("the client to reach it again", PATIENCE, || {
        let page = machine.get(address(after), TEST_PORT, "/").ok()?;
        (page.status == 200).then_some(())
    });
}
