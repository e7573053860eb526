//! dnsmasq as the lease source, with the configuration and the hook that come with the project.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use orchestrator_lab::{Dhclient, Dnsmasq, Engine, TEST_PORT, wait_for};

use crate::site::{BINARY, PATIENCE, PREFIX, Plan, Site, address};

/// A client that no program stands behind: its events are told by hand.
const DUID: &str = "00:03:00:01:02:00:5e:10:00:01";

pub(crate) fn plan() -> Plan {
    Plan {
        source: "dnsmasq",
        ..Plan::default()
    }
}

/// The hook as dnsmasq runs it, for this site's daemon.
pub(crate) fn hook(site: &Site) -> PathBuf {
    let path = site.daemon.place().join("hook");
    let (api, spool) = (site.daemon.socket(), site.daemon.place().join("spool"));
    let script = format!(
        "#!/bin/sh\nexec {BINARY} hook dnsmasq --api unix:{} --spool {} \"$@\"\n",
        api.display(),
        spool.display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A hook that finds no daemon and leaves its events in this directory beside the daemon's.
pub(crate) fn stray(site: &Site, spool: &str) -> PathBuf {
    let script = fs::read_to_string(hook(site)).unwrap();
    let path = site.daemon.place().join("stray");
    let elsewhere = script
        .replace("api.sock", "nobody.sock")
        .replace("/spool ", &format!("/{spool} "));
    fs::write(&path, elsewhere).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// dnsmasq with `dnsmasq/orchestrator.conf`, but for the places of the script and of the lease file.
fn dnsmasq(site: &Site) -> Dnsmasq {
    let script = hook(site);
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/dnsmasq/orchestrator.conf")).unwrap();
    let mut arguments: Vec<String> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        // The lab gives these itself.
        .filter(|line| {
            !["dhcp-leasefile", "dhcp-script", "port="]
                .iter()
                .any(|name| line.starts_with(name))
        })
        .map(|line| format!("--{line}"))
        .collect();
    assert!(arguments.contains(&"--script-on-renewal".to_owned()), "{arguments:?}");
    arguments.push(format!("--dhcp-script={}", script.display()));
    Dnsmasq::start(&site.host, &arguments.iter().map(String::as_str).collect::<Vec<_>>()).unwrap()
}

/// Runs the hook as dnsmasq would for the client that no program stands behind.
fn tell(hook: &Path, verb: &str, remaining: Option<u32>) {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let expires = (now + u64::from(remaining.unwrap_or(600))).to_string();
    let remaining = remaining.map(|seconds| seconds.to_string());
    let mut variables = vec![("INTERFACE", "br0"), ("LEASE_EXPIRES", &expires)];
    variables.extend(remaining.as_deref().map(|seconds| ("TIME_REMAINING", seconds)));
    tell_with(hook, &[verb, DUID, &format!("{PREFIX}::1:77")], &variables);
}

/// Runs the hook with these words and variables of dnsmasq; what it said.
pub(crate) fn tell_with(hook: &Path, words: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(hook);
    command.args(words).env_clear().env("PATH", "/usr/bin:/bin");
    command
        .env("DNSMASQ_IAID", "7")
        .env("DNSMASQ_SERVER_DUID", "00:01:00:01");
    command.envs(variables.iter().map(|(name, value)| (format!("DNSMASQ_{name}"), value)));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

fn lease_state(site: &Site) -> Option<String> {
    let lease = site.lease(format!("{PREFIX}::1:77").parse().unwrap())?;
    Some(lease["state"].as_str().unwrap().to_owned())
}

/// How often lease events had this outcome.
fn counted(site: &Site, outcome: &str) -> u32 {
    let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
    let line = format!("orchestrator_lease_events_total{{outcome=\"{outcome}\"}} ");
    metrics
        .lines()
        .find_map(|text| text.strip_prefix(&line))
        .map_or(0, |count| count.parse().unwrap())
}

#[test]
fn a_client_of_dnsmasq_gets_its_instance_and_loses_it() {
    let site = Site::start(&plan());
    let _dnsmasq = dnsmasq(&site);
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    assert_eq!(machine.get(address(&instance), TEST_PORT, "/").unwrap().status, 200);
    assert_eq!(site.lease(leased).unwrap()["source"], "dnsmasq");
    client.release().unwrap();
    site.wait_none();
    assert_eq!(site.lease(leased).unwrap()["state"], "released");
    assert!(site.containers(Engine::shared()).is_empty());
}

#[test]
fn a_restart_and_a_reload_of_dnsmasq_change_nothing() {
    let site = Site::start(&plan());
    let mut dnsmasq = dnsmasq(&site);
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let before = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let kinds = site.event_kinds();
    let repeated = counted(&site, "repeated");
    dnsmasq.restart().unwrap();
    wait_for("the lease to be told twice more", PATIENCE, || {
        (counted(&site, "repeated") >= repeated + 2).then_some(())
    });
    let repeated = counted(&site, "repeated");
    dnsmasq.reload().unwrap();
    wait_for("the lease to be told again", PATIENCE, || {
        (counted(&site, "repeated") > repeated).then_some(())
    });
    assert_eq!(site.event_kinds(), kinds);
    assert_eq!(site.wait_ready(1)[0]["reference"], before["reference"]);
}

#[test]
fn what_happens_while_the_daemon_is_down_is_told_when_it_is_back() {
    let mut site = Site::start(&plan());
    let _dnsmasq = dnsmasq(&site);
    let machines = [site.machine("stays"), site.machine("leaves")];
    let mut leaving = Dhclient::boot(&machines[1], "eth0").unwrap();
    let left = leaving.address(PATIENCE).unwrap();
    site.wait_ready_for(left);
    site.daemon.kill9();
    let mut staying = Dhclient::boot(&machines[0], "eth0").unwrap();
    let kept = staying.address(PATIENCE).unwrap();
    leaving.release().unwrap();
    let spool = site.daemon.place().join("spool");
    wait_for("both events in the spool", PATIENCE, || {
        (fs::read_dir(&spool).ok()?.count() >= 2).then_some(())
    });
    site.daemon.resume().unwrap();
    site.wait_ready_for(kept);
    wait_for("the other's lease to end", PATIENCE, || {
        (site.lease(left)?["state"] == "released").then_some(())
    });
    site.wait_ready(1);
    assert_eq!(
        fs::read_dir(&spool).unwrap().count(),
        0,
        "what is recorded leaves the spool"
    );
}

#[test]
fn an_event_that_was_overtaken_changes_nothing() {
    let site = Site::start(&plan());
    let hook = hook(&site);
    tell(&hook, "add", Some(600));
    assert_eq!(lease_state(&site).as_deref(), Some("active"));

    // A release that cannot be handed over waits in a spool while the client comes back and is told of at once.
    let late = site.daemon.place().join("late");
    tell(&stray(&site, "late"), "del", None);
    tell(&hook, "old", Some(900));

    let spool = site.daemon.place().join("spool");
    fs::create_dir_all(&spool).unwrap();
    let event = fs::read_dir(&late).unwrap().next().unwrap().unwrap();
    fs::rename(event.path(), spool.join(event.file_name())).unwrap();
    wait_for("the late event to be read", PATIENCE, || {
        (counted(&site, "stale") == 1).then_some(())
    });
    assert_eq!(lease_state(&site).as_deref(), Some("active"));
}

#[test]
fn an_event_for_a_link_that_is_not_dnsmasqs_is_refused_and_counted() {
    let site = Site::start(&Plan::default());
    let hook = hook(&site);
    tell(&hook, "add", Some(600));
    assert_eq!(lease_state(&site), None);
    let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
    assert!(
        metrics.contains("orchestrator_lease_events_refused_total{reason=\"not-from-dnsmasq\"} 1"),
        "{metrics}"
    );
    assert!(
        !site.daemon.place().join("spool").exists(),
        "what is refused for good is not kept"
    );
}

#[test]
fn a_lease_that_dnsmasq_forgets_to_end_ends_by_its_lifetime() {
    let site = Site::start(&plan());
    tell(&hook(&site), "add", Some(2));
    wait_for("the lease to end", PATIENCE, || {
        (lease_state(&site).as_deref() == Some("expired")).then_some(())
    });
    site.wait_none();
}

#[test]
fn a_dnsmasq_without_a_clock_tells_its_leases_by_their_length() {
    let site = Site::start(&plan());
    let hook = hook(&site);
    let told = |words: &[&str], variables: &[(&str, &str)]| {
        let variables = [variables, &[("INTERFACE", "br0")]].concat();
        assert_eq!(tell_with(&hook, words, &variables), "");
    };
    let address = format!("{PREFIX}::1:77");
    told(&["add", DUID, &address], &[("LEASE_LENGTH", "0")]);
    let leased = address.parse().unwrap();
    assert_eq!(site.lease(leased).unwrap()["valid_until"], "never");
    told(
        &["old", DUID, &address],
        &[("LEASE_LENGTH", "600"), ("TIME_REMAINING", "60")],
    );
    assert_ne!(site.lease(leased).unwrap()["valid_until"], "never");
    // It was given back with a minute left, and it is not dnsmasq that says so.
    told(&["del", DUID, &address], &[("LEASE_LENGTH", "600")]);
    assert_eq!(lease_state(&site).as_deref(), Some("released"));
    told(
        &["add", DUID, &address],
        &[("LEASE_LENGTH", "1"), ("TIME_REMAINING", "1")],
    );
    wait_for("the lease to end by its lifetime", PATIENCE, || {
        (lease_state(&site).as_deref() == Some("expired")).then_some(())
    });
    assert!(
        site.daemon.log().contains("does not tell of renewals"),
        "the operator is to know what such a dnsmasq keeps to itself"
    );
}

/// The line of a counter with one label, and how far it has counted.
fn refused(site: &Site, reason: &str) -> u32 {
    let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
    let line = format!("orchestrator_lease_events_refused_total{{reason=\"{reason}\"}} ");
    let count = metrics.lines().find_map(|text| text.strip_prefix(&line));
    count.map_or(0, |count| count.parse().unwrap())
}

#[test]
fn a_lease_without_its_interface_is_passed_over_and_its_end_is_not() {
    let site = Site::start(&plan());
    let hook = hook(&site);
    let address = format!("{PREFIX}::1:77");
    let without_interface = [("LEASE_EXPIRES", "0"), ("DATA_MISSING", "1")];
    assert_eq!(tell_with(&hook, &["old", DUID, &address], &without_interface), "");
    assert_eq!((lease_state(&site), refused(&site, "no-interface")), (None, 1));
    assert!(!site.daemon.log().contains("no-interface"), "it is no news for the log");

    tell(&hook, "add", Some(600));
    // The bridge is gone when the client's lease ends: the address says of which link it was.
    assert_eq!(tell_with(&hook, &["del", DUID, &address], &without_interface), "");
    assert_eq!(lease_state(&site).as_deref(), Some("released"));
    let foreign = tell_with(&hook, &["del", DUID, "fd40::7"], &without_interface);
    assert!(foreign.contains("was refused by the daemon"), "{foreign}");
    assert_eq!(refused(&site, "unknown-link"), 1);
}

#[test]
fn a_lease_of_an_address_that_is_for_no_client_is_refused_counted_and_told() {
    let site = Site::start(&plan());
    let hook = hook(&site);
    let variables = [("INTERFACE", "br0"), ("LEASE_EXPIRES", "0")];
    for (address, reason, advice) in [
        ("fd40::7".to_owned(), "outside-prefix", "dhcp-range"),
        ("fe80::7".to_owned(), "outside-prefix", "dhcp-range"),
        ("::ffff:192.0.2.7".to_owned(), "outside-prefix", "dhcp-range"),
        (format!("{PREFIX}::1"), "link-address", "dhcp-range"),
        (format!("{PREFIX}::"), "router-anycast", "dhcp-range"),
        (format!("{PREFIX}::2:7"), "instance-range", "instances"),
    ] {
        // Of each reason the first is logged, and more of them once a minute.
        let is_first = refused(&site, reason) == 0;
        for verb in ["add", "old"] {
            let counted = refused(&site, reason);
            let said = tell_with(&hook, &[verb, DUID, &address], &variables);
            assert!(
                said.contains("was refused by the daemon") && said.contains(&address) && said.contains(advice),
                "{said}"
            );
            assert_eq!(refused(&site, reason), counted + 1, "{address}");
        }
        assert!(
            !is_first || site.daemon.log().contains(&address),
            "{address} is not in the log"
        );
    }
    assert!(site.daemon.items("/v1/leases").unwrap().is_empty());
    assert!(site.daemon.items("/v1/clients").unwrap().is_empty());
    for address in ["ff02::1", "::1", "::"] {
        let said = tell_with(&hook, &["add", DUID, address], &variables);
        assert!(said.contains(address), "{said}");
    }
    assert!(site.daemon.items("/v1/leases").unwrap().is_empty());
}
