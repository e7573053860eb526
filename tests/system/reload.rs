//! Settings that are read again while the daemon runs: by signal, by the API, by the command line.

use std::fs;
use std::os::unix::net::UnixDatagram;

use nix::sys::signal::Signal;
use orchestrator_lab::{Daemon, Dhclient, Engine, Lab, Link, Postgres, wait_for};
use serde_json::Value;

use crate::site::{BINARY, PATIENCE, PREFIX, Plan, Site};

/// Lines of a link without instances, on an engine that is not there.
fn lease_only() -> Plan {
    Plan {
        engine: "unix:///nonexistent/docker.sock".to_owned(),
        template: None,
        ..Plan::default()
    }
}

impl Site {
    /// Writes settings; nobody reads them yet.
    fn write(&self, settings: impl FnOnce(&str) -> String) {
        let place = self.daemon.place();
        fs::write(place.join("settings.toml"), settings(&place.display().to_string())).unwrap();
    }

    /// Has the command line reload: its exit code, and what it says.
    fn reload(&self) -> (i32, String, String) {
        let output = self.daemon.cli(&["reload"]).unwrap();
        let [said, complained] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code().unwrap(), said, complained)
    }

    fn view(&self) -> Value {
        let (status, view) = self.daemon.api("GET", "/v1/settings").unwrap();
        assert_eq!(status, 200, "{view}");
        view
    }

    /// A line of the metrics.
    fn metric(&self, name: &str) -> Option<String> {
        let text = self.daemon.ask("GET", "/metrics").unwrap().text();
        let prefix = format!("orchestrator_{name} ");
        text.lines()
            .find_map(|line| line.strip_prefix(&prefix))
            .map(str::to_owned)
    }
}

#[test]
fn sighup_reloads_and_wrong_settings_change_nothing_and_say_why() {
    let right = lease_only();
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    let quiet = |place: &str| right.pieces(place).with("[log]\nlevel = \"warn\"").text();
    let mut daemon = Daemon::start(&host, BINARY.as_ref(), quiet).unwrap();
    daemon.wait_until_ready(PATIENCE).unwrap();
    let mut site = Site { lab, host, daemon };
    site.write(|place| {
        right
            .pieces(place)
            .with("[log]\nlevel = \"info\"\nformat = \"json\"")
            .text()
    });
    let before = site.view();
    assert_eq!(before["last_reload"], Value::Null);
    let pending = before["pending"].to_string();
    assert!(
        pending.contains("log.level") && pending.contains("log.format"),
        "{pending}"
    );

    site.daemon.program().signal(Signal::SIGHUP).unwrap();
    let after = wait_for("the reload", PATIENCE, || {
        Some(site.view()).filter(|view| view["last_reload"]["ok"] == true)
    });
    assert!(after["loaded"].as_str() > before["loaded"].as_str(), "{after}");
    assert_eq!(after["pending"].as_array().unwrap().len(), 1, "{after}");
    assert_eq!(after["pending"][0]["effect"], "needs-restart");
    // The level is another one, the format is not.
    let log = wait_for("a line of the new level", PATIENCE, || {
        Some(site.daemon.log()).filter(|log| log.contains("INFO the settings are in force"))
    });
    // The state of the packet filter may be said at the new level, too.
    assert_eq!(log.find("INFO"), log.find("INFO the settings are in force"), "{log}");
    assert!(log.contains("stays as it is until the daemon is restarted"), "{log}");

    site.write(|place| right.settings(place) + "colour = \"blue\"\n[log]\nlevel = \"loud\"\n");
    site.daemon.program().signal(Signal::SIGHUP).unwrap();
    let refused = wait_for("the refusal", PATIENCE, || {
        Some(site.view()).filter(|view| view["last_reload"]["ok"] == false)
    });
    assert_eq!(refused["loaded"], after["loaded"], "what was in force still is");
    assert_eq!(refused["faults"], refused["last_reload"]["faults"]);
    for fault in refused["faults"].as_array().unwrap() {
        assert!(
            site.daemon
                .log()
                .contains(&fault.as_str().unwrap().replace('"', "\\\"")),
            "{fault}"
        );
    }
    let (status, ready) = site.daemon.api("GET", "/v1/ready").unwrap();
    let conditions = ready["conditions"].as_array().unwrap();
    let settings = conditions
        .iter()
        .find(|condition| condition["name"] == "settings")
        .unwrap();
    assert_eq!((status, &settings["ok"]), (200, &Value::from(false)), "{ready}");
    assert!(settings["reason"].as_str().unwrap().contains("colour"), "{ready}");
    assert_eq!(site.metric("settings_last_reload_ok").unwrap(), "0");
    assert_eq!(site.metric("settings_reloads_total{outcome=\"refused\"}").unwrap(), "1");
    assert_eq!(site.metric("settings_reloads_total{outcome=\"applied\"}").unwrap(), "1");
}

#[test]
fn the_command_line_tells_what_became_other_and_fails_with_all_faults() {
    let site = Site::start(&lease_only());
    let unchanged = (
        0,
        "nothing is written otherwise than it runs\n".to_owned(),
        String::new(),
    );
    assert_eq!(site.reload(), unchanged);
    let mut other = lease_only();
    other.engine = "unix:///elsewhere.sock".to_owned();
    other.link = "dns_servers = [\"fd00::53\"]".to_owned();
    site.write(|place| other.settings(place));
    let (code, said, complained) = site.reload();
    assert_eq!((code, complained.as_str()), (0, ""));
    let [first, .., last] = said.lines().collect::<Vec<_>>()[..] else {
        panic!("{said}")
    };
    assert_eq!(first, "link.br0.dns_servers: changed");
    assert_eq!(last, "engine.docker.host: stays as it is until the daemon is restarted");

    other.link = "colour = \"blue\"\ndns_servers = [\"here\"]".to_owned();
    site.write(|place| other.settings(place));
    let (code, said, complained) = site.reload();
    assert_eq!((code, said.as_str()), (64, ""));
    for part in ["link[0].colour: ", "link[0].dns_servers[0]: ", "nothing was changed"] {
        assert!(complained.contains(part), "{complained}");
    }
    let shown = site.daemon.cli(&["settings"]).unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("refused, nothing was changed") && shown.contains("link[0].colour"),
        "{shown}"
    );
    // A file that is not there is no reason to forget what is in force either.
    fs::remove_file(site.daemon.place().join("settings.toml")).unwrap();
    assert_eq!(site.reload().0, 64);
    assert_eq!(site.daemon.api("GET", "/v1/ready").unwrap().0, 200);
}

#[test]
fn what_the_environment_says_stays_in_force() {
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    let variables = [("ORCHESTRATOR__LINK__0__DNS_SERVERS", "fd00::1")];
    let plan = lease_only();
    let mut daemon = Daemon::start_with(&host, BINARY.as_ref(), &variables, |place| plan.settings(place)).unwrap();
    daemon.wait_until_ready(PATIENCE).unwrap();
    let mut site = Site { lab, host, daemon };
    let mut other = lease_only();
    other.link = "dns_servers = [\"fd00::2\"]\nrapid_commit = false".to_owned();
    site.write(|place| other.settings(place));
    assert_eq!(site.reload().1, "link.br0.rapid_commit: changed\n");
    assert!(site.daemon.program().is_running());
}

#[test]
fn systemd_is_told_that_settings_are_read_and_that_it_is_done() {
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    let path = lab.place("systemd").unwrap().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = || {
        let mut bytes = [0; 4096];
        let length = systemd.recv(&mut bytes).expect("the daemon tells systemd");
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let plan = lease_only();
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap())];
    let mut daemon = Daemon::start_with(&host, BINARY.as_ref(), &variables, |place| plan.settings(place)).unwrap();
    assert_eq!(heard().trim(), "READY=1");
    // Good or bad, what is told is the same.
    for settings in ["", "colour = \"blue\""] {
        let place = daemon.place().to_owned();
        let text = plan.pieces(&place.display().to_string()).top(settings).text();
        fs::write(place.join("settings.toml"), text).unwrap();
        daemon.program().signal(Signal::SIGHUP).unwrap();
        let reloading = heard();
        let lines: Vec<_> = reloading.lines().collect();
        assert_eq!((lines[0], lines.len()), ("RELOADING=1", 2), "{reloading}");
        let at: u64 = lines[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
        assert!(at > 0);
        assert_eq!(heard().trim(), "READY=1");
    }
}

#[test]
fn an_engine_is_waited_for_while_it_is_needed() {
    let bare = lease_only();
    let site = Site::start(&bare);
    let ready = || site.daemon.api("GET", "/v1/ready").unwrap();
    let plan = Plan {
        engine: bare.engine.clone(),
        ..Plan::default()
    };
    for _ in 0..2 {
        site.write(|place| plan.settings(place));
        assert_eq!(site.reload().0, 0);
        let (status, told) = ready();
        assert_eq!(status, 503, "{told}");
        wait_for("the engine to be missed", PATIENCE, || {
            ready().1.to_string().contains("docker.sock").then_some(())
        });
        site.write(|place| bare.settings(place));
        assert_eq!(site.reload().0, 0);
        wait_for("the daemon to be ready without", PATIENCE, || {
            let (status, told) = ready();
            (status == 200 && !told.to_string().contains("engine")).then_some(())
        });
    }
}

#[test]
fn a_link_that_gets_a_template_gives_instances_to_who_is_there() {
    let engine = Engine::shared();
    // No template, and so the engine is not asked for.
    let bare = Plan {
        template: None,
        ..Plan::on(engine)
    };
    let site = Site::start(&bare);
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    assert!(site.instances().is_empty());
    let plan = Plan::on(engine);
    site.write(|place| plan.settings(place));
    assert_eq!(
        site.reload().1,
        "link.br0.instances: changed\nlink.br0.template: changed\ntemplate.default: added\n"
    );
    site.wait_ready_for(leased);
    // And takes them away again with it.
    site.write(|place| bare.settings(place));
    assert_eq!(site.reload().0, 0);
    site.wait_none();
    assert_eq!(site.lease(leased).unwrap()["state"], "active");
}

#[test]
fn an_instance_keeps_the_isolation_that_it_was_made_with() {
    let of = |isolated| Plan {
        template: Some(format!("grace = \"1s\"\nisolated = {isolated}")),
        ..Plan::default()
    };
    let site = Site::start(&of(false));
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let is_isolated = || {
        let name = site.host_ends().pop()?;
        let shown = site.host.ip_json(&format!("-d link show {name}")).ok()?;
        shown[0]["linkinfo"]["info_slave_data"]["isolated"].as_bool()
    };
    assert_eq!(is_isolated(), Some(false));
    site.write(|place| of(true).settings(place));
    assert_eq!(site.reload().1, "template.default.isolated: changed\n");
    // Whatever is done to it later, it is wired again as it was made.
    site.host.ip(&format!("link delete {}", site.host_ends()[0])).unwrap();
    wait_for("the instance to be wired again", PATIENCE, || {
        let events = site.daemon.items("/v1/events?limit=5000").ok()?;
        let ready = events.iter().filter(|event| event["kind"] == "instance-ready").count();
        (ready == 2 && !site.host_ends().is_empty()).then_some(())
    });
    assert_eq!(is_isolated(), Some(false));
    assert_eq!(site.wait_ready_for(leased)["id"], instance["id"]);
    let kinds = site.event_kinds();
    let disturbed = kinds.iter().filter(|kind| *kind == "instance-disturbed").count();
    assert_eq!(disturbed, 1, "the reload was none: {kinds:?}");
}

#[test]
fn in_a_pool_that_shrank_a_client_keeps_its_instance_and_gets_another_address_when_it_renews() {
    let short = "preferred_lifetime = \"10s\"\nvalid_lifetime = \"1m\"".to_owned();
    let plan = Plan {
        link: short,
        ..Plan::on(Engine::shared())
    };
    let site = Site::start(&plan);
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let elsewhere = |place: &str| plan.settings(place).replace("::1:0/112", "::3:0/112");
    site.write(elsewhere);
    assert_eq!(site.reload().1, "link.br0.pool: changed\n");
    assert_eq!(site.lease(leased).unwrap()["state"], "active");
    let other = wait_for("a lease in the pool", PATIENCE, || {
        let leases = site.daemon.items("/v1/leases").unwrap();
        leases.into_iter().find(|lease| {
            let address = lease["address"].as_str().unwrap();
            address.starts_with(&format!("{PREFIX}::3:")) && lease["state"] == "active"
        })
    });
    assert_eq!(other["client"], instance["client"]);
    assert_eq!(site.lease(leased).unwrap()["state"], "released");
    let live = site.instances();
    assert_eq!(live.len(), 1, "{live:?}");
    assert_eq!(
        (&live[0]["id"], &live[0]["phase"]),
        (&instance["id"], &Value::from("ready"))
    );
}

#[test]
fn on_a_link_that_goes_an_instance_runs_until_its_lease_ends() {
    let engine = Engine::shared();
    let short = "preferred_lifetime = \"10s\"\nvalid_lifetime = \"20s\"".to_owned();
    let plan = Plan {
        link: short,
        ..Plan::on(engine)
    };
    let site = Site::start(&plan);
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let renamed = |place: &str| {
        let settings = plan.settings(place).replace("br0", "br9");
        settings.replace(PREFIX, "fd39:9706:2786:9999")
    };
    site.write(renamed);
    assert_eq!(site.reload().1, "link.br9: added\nlink.br0: removed\n");
    wait_for("the link to be left", PATIENCE, || {
        let conditions = site.daemon.api("GET", "/v1/ready").unwrap().1.to_string();
        (!conditions.contains("link br0")).then_some(())
    });
    // The client asks, and nobody answers any more; what it was promised holds to its end.
    let running = site.in_phase("ready");
    assert_eq!(running.len(), 1, "{running:?}");
    assert_eq!(running[0]["id"], instance["id"]);
    site.wait_none();
    assert_eq!(site.lease(leased).unwrap()["state"], "expired");
}

#[test]
fn what_is_taken_away_while_the_database_is_awaited_is_waited_for_no_more() {
    let mut postgres = Postgres::start(&Lab::new().unwrap()).unwrap();
    let url = postgres.database().unwrap();
    postgres.stop().unwrap();
    let few = Plan {
        store: Some(url),
        ..lease_only()
    };
    let web = "instances = \"fd39:9706:2786:9::2:0/112\"\ntemplate = \"web\"\n[template.web]\nimage = \"web\"\n";
    let second = Link::with_prefix("br9", "fd39:9706:2786:9").existing().lines(web);
    let more = |place: &str| {
        let settings = few.pieces(place).with("[source.listener]\nrelays = [\"eth9\"]");
        settings.link(second.clone()).text()
    };
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    let daemon = Daemon::start(&host, BINARY.as_ref(), more).unwrap();
    let mut site = Site { lab, host, daemon };
    let awaited = |site: &Site| -> Vec<String> {
        let (_, ready) = site.daemon.api("GET", "/v1/ready").unwrap();
        let conditions = ready["conditions"].as_array().unwrap();
        let waiting = conditions.iter().filter(|condition| condition["ok"] == false);
        waiting
            .map(|condition| condition["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = ["database", "engine docker", "link br0", "link br9", "relays eth9"];
    assert_eq!(awaited(&site), all);
    site.write(|place| few.settings(place));
    let (code, said, complained) = site.reload();
    assert_eq!(code, 0, "{said} {complained}");
    assert_eq!(awaited(&site), ["database", "link br0"]);
    postgres.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
}
