//! The times of instances with real engines: lifetime, idle limit, keep, and what operators change.

use std::time::Duration;

use orchestrator_lab::{
    Daemon, Dhclient, Engine, Lab, Link, Namespace, Oci, Settings, TEST_PORT, oci_program, wait_for,
};
use serde_json::Value;

use crate::images::succeeds;
use crate::site::{BINARY, PATIENCE, Site, address, text};

/// How long a connection may take that nobody answers.
const LIMIT: Duration = Duration::from_secs(3);

/// A script of the instance that leaves a file behind.
const MARK: &str = "[[template.default.file]]\ntarget = \"/www/cgi-bin/mark\"\nmode = \"0755\"\n\
    text = \"#!/bin/sh\\necho Content-Type: text/plain\\necho\\necho here > /www/mark\\necho done\\n\"\n";

/// A site on one of the engines.
struct Place {
    site: Site,
    /// The helper, where the engine is runc.
    oci: Option<Oci>,
}

/// A site with instances by Docker.
fn docker(link: &str, template: &str) -> Place {
    let engine = Engine::shared();
    let url = engine.url();
    let site = start(link, template, |settings| settings.engine(&url));
    Place { site, oci: None }
}

/// A site with instances by runc.
fn oci(link: &str, template: &str) -> Place {
    let lab = Lab::new().unwrap();
    let oci = Oci::start(&lab, &oci_program(BINARY.as_ref()).unwrap()).unwrap();
    oci.import_test_image().unwrap();
    let section = oci.section("");
    let template = format!("engine = \"oci\"\n{template}");
    let site = start_in(lab, link, &template, |settings| settings.with(&section));
    Place { site, oci: Some(oci) }
}

fn start(link: &str, template: &str, engine: impl FnOnce(Settings) -> Settings) -> Site {
    start_in(Lab::new().unwrap(), link, template, engine)
}

fn start_in(lab: Lab, link: &str, template: &str, engine: impl FnOnce(Settings) -> Settings) -> Site {
    let host = lab.namespace("host").unwrap();
    let template = format!("ready = {{ tcp = {TEST_PORT}, within = \"30s\" }}\n{template}");
    let link = Link::new("br0").lines(link).template(&template);
    let settings = |place: &str| engine(Settings::new(place)).link(link).text();
    let mut daemon = Daemon::start(&host, BINARY.as_ref(), settings).unwrap();
    daemon.wait_until_ready(PATIENCE).unwrap();
    Site { lab, host, daemon }
}

impl Place {
    /// The containers of this site, each with whether it runs.
    fn containers(&self) -> Vec<(String, bool)> {
        let Some(oci) = &self.oci else {
            let ours = self.site.containers(Engine::shared());
            return ours
                .iter()
                .map(|one| (text(one, "Id"), one["State"] == "running"))
                .collect();
        };
        let listed = oci.ask("GET", "/v1/by-hand", None).unwrap();
        let state = |one: &Value| {
            let reference = text(&one["container"], "reference");
            (reference, one["state"]["running"]["pid"].is_u64())
        };
        listed.as_array().unwrap().iter().map(state).collect()
    }

    /// Waits until the one container of this site runs, or does not.
    fn wait_container(&self, runs: bool) -> String {
        wait_for(&format!("a container that runs: {runs}"), PATIENCE, || {
            let [(id, state)] = self.containers().try_into().ok()?;
            (state == runs).then_some(id)
        })
    }

    /// Waits until a client's instance is in this phase.
    fn wait_phase(&self, phase: &str) -> Value {
        wait_for(&format!("an instance that is {phase}"), PATIENCE, || {
            self.site.in_phase(phase).into_iter().next()
        })
    }

    /// Waits until no instance is there, and says that nothing is left of any.
    fn wait_nothing_left(&self) {
        self.site.wait_none();
        assert_eq!(self.containers(), []);
        assert_eq!(self.site.host_ends(), Vec::<String>::new());
    }

    fn cli(&self, arguments: &[&str]) -> String {
        succeeds(&self.site.daemon.cli(arguments).unwrap())
    }

    /// The details of all events of this kind.
    fn details(&self, kind: &str) -> Vec<String> {
        let events = self.site.daemon.items("/v1/events?limit=5000").unwrap();
        let of_kind = events.iter().filter(|event| event["kind"] == kind);
        of_kind
            .map(|event| event["detail"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    fn boot(&self) -> (Namespace, Dhclient, Value) {
        let machine = self.site.machine("client");
        let mut client = Dhclient::boot(&machine, "eth0").unwrap();
        let leased = client.address(PATIENCE).unwrap();
        let instance = self.site.wait_ready_for(leased);
        (machine, client, instance)
    }
}

/// Waits until a moment that the API has shown is over.
fn wait_over(moment: &str) {
    wait_for(&format!("{moment} to be over"), PATIENCE, || {
        let now = orchestrator::model::Timestamp::wall().to_string();
        (now.as_str() > moment).then_some(())
    });
}

/// A scenario, on every engine.
macro_rules! on_engines {
    ($($scenario:ident,)*) => {
        mod by_docker {
            $(#[test] fn $scenario() { super::$scenario(super::docker); })*
        }
        mod by_runc {
            $(#[test] fn $scenario() { super::$scenario(super::oci); })*
        }
    };
}

on_engines!(
    an_instance_is_announced_and_removed_when_its_lifetime_ends,
    an_instance_whose_lease_ended_is_stopped_and_started_again_with_its_files,
    a_stopped_instance_is_removed_when_it_was_kept_for_long_enough,
    an_instance_that_nobody_uses_is_stopped_and_one_that_is_used_is_not,
    operators_change_the_time_of_an_instance_by_the_command_line,
);

type Start = fn(&str, &str) -> Place;

fn an_instance_is_announced_and_removed_when_its_lifetime_ends(start: Start) {
    let place = start("", "lifetime = \"20s\"\nwarn = \"10s\"");
    let (_machine, mut client, instance) = place.boot();
    let until = text(&instance["times"], "lifetime_ends");
    assert_eq!(instance["times"]["cause"], "lifetime", "{instance}");
    place.wait_nothing_left();
    let kinds = place.site.event_kinds();
    let at = |kind: &str| kinds.iter().position(|one| one == kind);
    let [warned, expired, removed] = ["instance-warned", "instance-expired", "instance-removed"].map(at);
    assert!(
        warned.is_some() && warned < expired && expired < removed,
        "announced, ended, removed, in this order: {kinds:?}"
    );
    assert!(place.details("instance-warned")[0].contains(&until));
    assert_eq!(place.details("instance-expired"), ["its lifetime ended"]);
    // The client holds its lease, and gets no other instance for it.
    let leased = client.address(PATIENCE).unwrap();
    assert_eq!(place.site.lease(leased).unwrap()["state"], "active");
    // The lease begins anew, and another one comes.
    client.release().unwrap();
    let machine = place.site.machine("other");
    let mut other = Dhclient::boot(&machine, "eth0").unwrap();
    let another = place.site.wait_ready_for(other.address(PATIENCE).unwrap());
    assert_ne!(another["id"], instance["id"]);
}

fn an_instance_whose_lease_ended_is_stopped_and_started_again_with_its_files(start: Start) {
    let place = start("", &format!("grace = \"0s\"\nkeep = \"1h\"\n{MARK}"));
    let (machine, mut client, instance) = place.boot();
    let at = address(&instance);
    let marked = machine.get(at, TEST_PORT, "/cgi-bin/mark").unwrap().text();
    assert!(marked.contains("done"), "{marked}");
    let container = place.wait_container(true);

    client.release().unwrap();
    let stopped = place.wait_phase("stopped");
    assert_eq!(place.wait_container(false), container, "it is stopped, not removed");
    wait_for("the wiring to be gone", PATIENCE, || {
        place.site.host_ends().is_empty().then_some(())
    });
    assert_eq!(stopped["times"]["cause"], "kept", "{stopped}");
    // It is recorded after the engine has said that it is.
    wait_for("the event", PATIENCE, || {
        let kinds = place.site.event_kinds();
        kinds.contains(&"instance-stopped".to_owned()).then_some(())
    });

    // Its client comes back to the same container, at the same address, with the file.
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let again = place.site.wait_ready_for(client.address(PATIENCE).unwrap());
    assert_eq!(again["id"], instance["id"]);
    assert_eq!(place.wait_container(true), container);
    assert_eq!(address(&again), at);
    assert_eq!(machine.get(at, TEST_PORT, "/mark").unwrap().text(), "here\n");
    assert!(place.site.event_kinds().contains(&"instance-kept".to_owned()));

    // A stopped one is ended by hand.
    client.release().unwrap();
    place.wait_phase("stopped");
    place.wait_container(false);
    place.cli(&["expire", &text(&instance, "id")]);
    place.wait_nothing_left();
}

fn a_stopped_instance_is_removed_when_it_was_kept_for_long_enough(start: Start) {
    let place = start("", "grace = \"1s\"\nkeep = \"8s\"");
    let (_machine, mut client, _) = place.boot();
    client.release().unwrap();
    place.wait_nothing_left();
    let kinds = place.site.event_kinds();
    let at = |kind: &str| kinds.iter().position(|one| one == kind);
    let [stopped, removed] = ["instance-stopped", "instance-removed"].map(at);
    assert!(stopped.is_some() && stopped < removed, "{kinds:?}");
}

fn an_instance_that_nobody_uses_is_stopped_and_one_that_is_used_is_not(start: Start) {
    let place = start("isolation = true", "idle = \"15s\"\nwarn = \"5s\"\nkeep = \"1h\"");
    let (machine, mut client, instance) = place.boot();
    let at = address(&instance);
    let first = text(&instance["times"], "idle_ends");
    // It is used until after the moment at which it would have ended.
    wait_for("the first limit to be over", PATIENCE, || {
        machine.get(at, TEST_PORT, "/").ok()?;
        let now = orchestrator::model::Timestamp::wall().to_string();
        (now > first).then_some(())
    });
    assert_eq!(place.wait_phase("ready")["id"], instance["id"]);
    place.wait_phase("stopped");
    place.wait_container(false);
    let expired = place.details("instance-expired");
    assert!(
        expired.len() == 1 && expired[0].contains("it was idle for as long as its template allows"),
        "{expired:?}"
    );
    assert_eq!(place.details("instance-warned").len(), 1, "announced once");
    assert!(machine.tcp(at, TEST_PORT, LIMIT).is_err());
    // An extension starts it again, since its client holds a lease.
    place.cli(&["extend", &text(&instance, "id"), "1h"]);
    let again = place.site.wait_ready_for(client.address(PATIENCE).unwrap());
    assert_eq!(again["id"], instance["id"]);
    machine.tcp(at, TEST_PORT, PATIENCE).unwrap();
}

fn operators_change_the_time_of_an_instance_by_the_command_line(start: Start) {
    let place = start("", "lifetime = \"25s\"\nagain = \"0s\"");
    let (machine, _client, instance) = place.boot();
    let id = text(&instance, "id");
    let until = text(&instance["times"], "lifetime_ends");
    let pinned = place.cli(&["pin", &id]);
    assert!(pinned.contains("is pinned: no time ends it"), "{pinned}");
    wait_over(&until);
    assert_eq!(place.wait_phase("ready")["id"], instance["id"]);
    machine.tcp(address(&instance), TEST_PORT, PATIENCE).unwrap();
    let extended = place.cli(&["extend", &id, "1h"]);
    assert!(extended.contains("is pinned"), "{extended}");
    let unpinned = place.cli(&["unpin", &id]);
    assert!(unpinned.contains("ends "), "{unpinned}");
    let listed = place.cli(&["ls"]);
    assert!(listed.contains("LEFT") && listed.contains(&id), "{listed}");
    let [now] = place.site.in_phase("ready").try_into().unwrap();
    assert!(text(&now["times"], "lifetime_ends") > until, "{now}");
    place.cli(&["expire", &id]);
    // The next one comes at once, and its time is its own.
    let another = wait_for("another instance", PATIENCE, || {
        let [one] = place.site.in_phase("ready").try_into().ok()?;
        (one["id"] != instance["id"]).then_some(one)
    });
    assert!(text(&another["times"], "lifetime_ends") > until);
    let gone = place.site.daemon.cli(&["extend", &id, "1h"]).unwrap();
    assert!(!gone.status.success(), "what is gone cannot be extended");
    for kind in [
        "instance-pinned",
        "instance-extended",
        "instance-unpinned",
        "instance-expired",
    ] {
        assert_eq!(place.details(kind).len(), 1, "{kind}");
    }
}
