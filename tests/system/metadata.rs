//! What an instance is told about itself, asked from inside and from elsewhere.

use std::net::Ipv6Addr;

use orchestrator_lab::{Dhclient, Engine, TEST_PORT, wait_for};
use serde_json::Value;

use crate::site::{PATIENCE, Plan, Site, text};

const METADATA: &str = "http://[fd00:6d65:7461::1]";

/// Asks from inside an instance, by curl.
fn curl(instance: &Value, arguments: &[&str]) -> String {
    let path = format!("/containers/{}/json", text(instance, "reference"));
    let container = Engine::shared().api("GET", &path, None).unwrap().json().unwrap();
    let netns = format!("--net=/proc/{}/ns/net", container["State"]["Pid"]);
    let asked = Engine::shared()
        .namespace()
        .lab()
        .command("nsenter")
        .arg(netns)
        .args(["curl", "--silent", "--max-time", "20"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(asked.status.success(), "{asked:?}");
    String::from_utf8(asked.stdout).unwrap()
}

fn address(instance: &Value) -> Ipv6Addr {
    text(instance, "address").parse().unwrap()
}

#[test]
fn an_instance_is_told_about_itself_and_others_are_told_nothing() {
    let site = Site::start(&Plan {
        // The instance asks by busybox's wget before it answers, and shows what it was told.
        template: Some(format!(
            "grace = \"1s\"\nvalues = {{ greeting = \"hello\" }}\ncommand = [\"sh\", \"-c\", \"until wget -q -O /www/told \
             {METADATA}/v1.json; do sleep 0.1; done; exec httpd -f -p [::]:{TEST_PORT} -h /www\"]"
        )),
        ..Plan::default()
    });
    let machines = ["one", "two"].map(|name| site.machine(name));
    let mut clients = machines
        .each_ref()
        .map(|machine| Dhclient::boot(machine, "eth0").unwrap());
    let leased = clients.each_mut().map(|client| client.address(PATIENCE).unwrap());
    let instances = leased.map(|leased| site.wait_ready_for(leased));
    for ((machine, leased), instance) in machines.iter().zip(leased).zip(&instances) {
        let told = machine
            .get(address(instance), TEST_PORT, "/told")
            .unwrap()
            .json()
            .unwrap();
        assert_eq!(told["instance"]["id"], instance["id"]);
        assert_eq!(told["instance"]["address"], instance["address"]);
        assert_eq!(told["client"]["addresses"], serde_json::json!([leased]));
        assert_eq!(told["values"]["greeting"], "hello");
        let duid = text(instance, "duid");
        assert!(!told.to_string().contains(&duid), "no DUID is told: {told}");
        // It has the lease of its client left.
        assert_eq!(told["time"]["reason"], "lease");
        let left = told["time"]["left_seconds"].as_u64().unwrap();
        assert!((1..=7200).contains(&left), "{left}");
        let id = curl(instance, &[&format!("{METADATA}/v1/instance/id")]);
        assert_eq!(id, format!("{}\n", text(instance, "id")));
    }
    // A client is no instance.
    let asked = machines[0]
        .run(
            "curl",
            &["--silent", "--max-time", "20", &format!("{METADATA}/v1/instance/id")],
        )
        .unwrap();
    assert!(asked.contains("is the address of no instance on link br0"), "{asked}");
    let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
    let refused = "orchestrator_metadata_refusals_total{reason=\"unknown-source\"} 1";
    assert!(metrics.contains(refused), "{metrics}");
}

#[test]
fn it_answers_on_a_bridge_that_was_made_again_and_after_the_address_was_taken_away() {
    let site = Site::start(&Plan::default());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let instance = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let asked = |instance: &Value| curl(instance, &[&format!("{METADATA}/v1/instance/id")]);
    assert_eq!(asked(&instance), format!("{}\n", text(&instance, "id")));
    site.host.ip("addr del fd00:6d65:7461::1/128 dev br0").unwrap();
    let has_address = || {
        let held = site.host.addresses("br0").ok()?;
        let metadata: Ipv6Addr = "fd00:6d65:7461::1".parse().ok()?;
        held.iter().any(|held| held.ip == metadata).then_some(())
    };
    wait_for("the address to be given back", PATIENCE, has_address);
    assert_eq!(asked(&instance), format!("{}\n", text(&instance, "id")));
    let number = || site.host.ip_json("link show br0").ok()?[0]["ifindex"].as_u64();
    let before = number();
    site.host.ip("link del br0").unwrap();
    wait_for("another bridge with the address", PATIENCE, || {
        (number().is_some() && number() != before).then_some(())?;
        has_address()
    });
    // The instance is wired to it again, and its client's cable is out.
    let answered = || {
        let [instance] = site.in_phase("ready").try_into().ok()?;

        let path = format!("/containers/{}/json", text(&instance, "reference"));
        let container = Engine::shared().api("GET", &path, None).ok()?.json().ok()?;
        let inside = format!("--net=/proc/{}/ns/net", container["State"]["Pid"]);
        let url = format!("{METADATA}/v1/instance/id");
        let asked = site
            .lab
            .command("nsenter")
            .args([inside.as_str(), "curl", "--silent", "--max-time", "5", &url])
            .output()
            .ok()?;
        (String::from_utf8_lossy(&asked.stdout) == format!("{}\n", text(&instance, "id"))).then_some(())
    };
    wait_for("metadata on the other bridge", PATIENCE, answered);
}

#[test]
fn the_example_page_welcomes_a_client_by_its_name() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/welcome/index.cgi");
    let site = Site::start(&Plan {
        template: Some(format!(
            "grace = \"1s\"\nvalues = {{ greeting = \"Good day\" }}\nlifetime = \"3h\"\n\
             command = [\"httpd\", \"-f\", \"-p\", \"[::]:{TEST_PORT}\", \"-h\", \"/welcome\"]\n\
             [[template.default.file]]\ntarget = \"/welcome/cgi-bin/index.cgi\"\nmode = \"0755\"\nfile = \"{page}\"\n"
        )),
        ..Plan::default()
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot_with(&machine, "eth0", "send fqdn.fqdn \"annas-laptop\";").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let welcome = machine.get(address(&instance), TEST_PORT, "/").unwrap().text();
    let own = text(&instance, "address");
    let leased = leased.to_string();
    for part in ["<h1>Good day, annas-laptop!</h1>", &own, &leased, "2 h 5", "(lifetime)"] {
        assert!(welcome.contains(part), "{part}: {welcome}");
    }
}
