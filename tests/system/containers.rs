//! Several containers of an instance, with files and name servers: what its client sees of them, on a real engine.

use std::net::Ipv6Addr;

use orchestrator_lab::{Dhclient, Engine, Namespace, TEST_IMAGE, wait_for};
use serde_json::{Value, json};

use crate::site::{PATIENCE, Plan, Site, address, text};

/// Port of the second container.
const SIDE_PORT: u16 = 81;

/// A template whose second container is a web server of its own, with a page of its own.
fn template() -> String {
    let script = "#!/bin/sh\\necho Content-Type: text/plain\\necho\\ncat /etc/resolv.conf\\n";
    format!(
        "grace = \"1s\"\n\
         resolver = {{ servers = [\"fd39::53\"], search = [\"example.org\"] }}\n\
         [[template.default.file]]\ntarget = \"/www/new/page.html\"\ntext = \"of the first\"\n\
         [[template.default.file]]\ntarget = \"/www/cgi-bin/resolver\"\nmode = \"0755\"\ntext = \"{script}\"\n\
         [[template.default.container]]\nname = \"side\"\nimage = \"{TEST_IMAGE}\"\nmemory = \"32MiB\"\n\
         command = [\"httpd\", \"-f\", \"-p\", \"[::]:{SIDE_PORT}\", \"-h\", \"/www\"]\n\
         [[template.default.container.file]]\ntarget = \"/www/new/page.html\"\ntext = \"of the second\"\n"
    )
}

/// A page, as a client's machine gets it.
fn page(machine: &Namespace, server: Ipv6Addr, port: u16, path: &str) -> Option<String> {
    let answer = machine.get(server, port, path).ok()?;
    (answer.status == 200).then(|| answer.text())
}

fn awaited(machine: &Namespace, server: Ipv6Addr, port: u16, path: &str) -> String {
    wait_for(&format!("port {port} to give {path}"), PATIENCE, || {
        page(machine, server, port, path)
    })
}

fn inspect(container: &Value) -> Value {
    let path = format!("/containers/{}/json", text(container, "reference"));
    Engine::shared().api("GET", &path, None).unwrap().json().unwrap()
}

#[test]
fn two_containers_share_a_network_and_the_second_comes_back_and_goes_with_the_first() {
    let site = Site::start(&Plan {
        template: Some(template()),
        ..Plan::default()
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let server = address(&instance);
    // Each has its files, and both answer at the address of the instance.
    assert_eq!(awaited(&machine, server, 80, "/new/page.html"), "of the first");
    assert_eq!(awaited(&machine, server, SIDE_PORT, "/new/page.html"), "of the second");
    let resolver = awaited(&machine, server, 80, "/cgi-bin/resolver");
    assert!(
        resolver.contains("nameserver fd39::53") && resolver.contains("search example.org"),
        "{resolver}"
    );
    let [first, second] = [0, 1].map(|place| instance["containers"][place].clone());
    assert_eq!((&first["name"], &second["name"]), (&json!("main"), &json!("side")));
    let (_, shown) = site
        .daemon
        .api("GET", &format!("/v1/instances/{}", text(&instance, "id")))
        .unwrap();
    assert!(!shown.to_string().contains("of the second"), "{shown}");
    assert_eq!(shown["spec"]["sidecars"][0]["files"][0]["size"], 13);

    // It ends: it is started again, and the first one runs on.
    let pid = inspect(&first)["State"]["Pid"].clone();
    let kill = format!("/containers/{}/kill", text(&second, "reference"));
    assert_eq!(Engine::shared().api("POST", &kill, None).unwrap().status, 204);
    let disturbed = wait_for("the event of the container that ended", PATIENCE, || {
        let events = site.daemon.items("/v1/events?limit=5000").ok()?;
        events.into_iter().find(|event| event["kind"] == "instance-disturbed")
    });
    assert!(
        text(&disturbed, "detail").contains("its container side ended with exit code 137"),
        "{disturbed}"
    );
    assert_eq!(awaited(&machine, server, SIDE_PORT, "/new/page.html"), "of the second");
    assert_eq!(inspect(&first)["State"]["Pid"], pid);
    site.wait_ready_for(leased);

    // The first one ends: its network ends with it, and the second one follows it into the new one.
    let kill = format!("/containers/{}/kill", text(&first, "reference"));
    assert_eq!(Engine::shared().api("POST", &kill, None).unwrap().status, 204);
    wait_for("both to answer again", PATIENCE, || {
        let both = page(&machine, server, 80, "/")
            .and(page(&machine, server, SIDE_PORT, "/new/page.html"))
            .filter(|page| page == "of the second");
        both.filter(|_| !site.in_phase("ready").is_empty())
    });

    // `check` finds the images of both.
    let settings = site.daemon.place().join("settings.toml").display().to_string();
    let output = site.daemon.cli(&["check", "--settings", &settings]).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains(TEST_IMAGE) && !said.contains("cannot"), "{said}");

    client.release().unwrap();
    site.wait_none();
    assert!(site.host_ends().is_empty());
    assert_eq!(site.containers(Engine::shared()), Vec::<Value>::new());
}

#[test]
fn a_daemon_that_is_killed_finds_all_containers_again() {
    let mut site = Site::start(&Plan {
        template: Some(template()),
        ..Plan::default()
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let second = instance["containers"][1].clone();
    site.daemon.kill9();
    // While nobody looks, the second one is removed.
    let remove = format!("/containers/{}?force=true", text(&second, "reference"));
    assert_eq!(Engine::shared().api("DELETE", &remove, None).unwrap().status, 204);
    site.daemon.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    assert_eq!(
        awaited(&machine, address(&instance), SIDE_PORT, "/new/page.html"),
        "of the second"
    );
    let again = site.wait_ready_for(leased);
    assert_eq!(
        (&again["id"], &again["containers"][0]["reference"]),
        (&instance["id"], &instance["containers"][0]["reference"])
    );
    client.release().unwrap();
    site.wait_none();
    assert_eq!(site.containers(Engine::shared()), Vec::<Value>::new());
}
