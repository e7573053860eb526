//! The page of a client, and the front door while nothing is behind it.

use std::net::Ipv6Addr;

use orchestrator_lab::{Dhclient, Namespace, wait_for};
use serde_json::Value;

use crate::site::{PATIENCE, PREFIX, Plan, Site, text};

fn plan(template: &str) -> Plan {
    Plan {
        link: format!("isolation = true\nenforce = false\nfront_door = \"{PREFIX}::d0\"\nportal = \"{PREFIX}::d1\""),
        template: Some(format!("grace = \"1s\"\n{template}")),
        ..Plan::default()
    }
}

fn portal() -> String {
    format!("http://[{PREFIX}::d1]")
}

/// Asks as a browser does, with further arguments of curl.
fn browse(machine: &Namespace, arguments: &[&str]) -> String {
    try_to_browse(machine, arguments).unwrap()
}

/// The same for a place where nobody may listen yet.
fn try_to_browse(machine: &Namespace, arguments: &[&str]) -> Option<String> {
    let common = ["--silent", "--max-time", "20", "--header", "Accept: text/html"];
    machine.run("curl", &[&common, arguments].concat()).ok()
}

/// The value of a field of the page's form.
fn field(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let rest = page.split(&start).nth(1).unwrap_or_else(|| panic!("no {name}: {page}"));
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn a_client_sees_its_own_page_and_has_its_instance_made_again() {
    let site = Site::start(&plan("client_may = [\"restart\", \"keys\"]"));
    let machines = ["one", "two"].map(|name| site.machine(name));
    let mut clients = machines
        .each_ref()
        .map(|machine| Dhclient::boot(machine, "eth0").unwrap());
    let leased: [Ipv6Addr; 2] = clients.each_mut().map(|client| client.address(PATIENCE).unwrap());
    let [instance, other] = leased.map(|leased| site.wait_ready_for(leased));
    let page = browse(&machines[0], &[&portal()]);
    assert!(page.contains("It is ready."), "{page}");
    let shown = |page: &str, instance: &Value| page.contains(&text(instance, "address"));
    assert!(shown(&page, &instance) && !shown(&page, &other), "{page}");
    assert!(!page.contains(&text(&instance, "duid")), "{page}");
    // A form of another site has no token, and the other client's has another one.
    let id = field(&page, "instance");
    let token = field(&page, "token");
    let restart = |token: &str, id: &str| {
        let (token, id) = (format!("token={token}"), format!("instance={id}"));
        let url = format!("{}/restart", portal());
        browse(
            &machines[0],
            &["--data", &token, "--data", &id, "--write-out", "%{http_code}", &url],
        )
    };
    let others = field(&browse(&machines[1], &[&portal()]), "token");
    assert!(restart(&others, &id).ends_with("403"));
    assert!(restart(&token, &text(&other, "id")).ends_with("403"));
    assert_eq!(restart(&token, &id), "303");
    let again = wait_for("another instance", PATIENCE, || {
        let ready = site.in_phase("ready").into_iter();
        let mut own = ready.filter(|one| one["client"] == instance["client"] && one["id"] != instance["id"]);
        own.next()
    });
    assert_eq!(again["address"], instance["address"]);
    assert_eq!(site.instances().len(), 2, "the other client's is untouched");
    // Keys are kept for the client, and what is none is refused.
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFxNNfzrqW3sTmNJrC5hQWLVo3hL8mGzRZ3lXJmvVqKd me@laptop";
    let save = |keys: &str| {
        let (token, keys) = (format!("token={token}"), format!("keys={keys}"));
        let url = format!("{}/keys", portal());
        browse(
            &machines[0],
            &[
                "--data",
                &token,
                "--data-urlencode",
                &keys,
                "--write-out",
                "%{http_code}",
                &url,
            ],
        )
    };
    assert!(save("command=\"sh\" ssh-ed25519 AAAA").ends_with("409"));
    assert_eq!(save(key), "303");
    assert!(browse(&machines[0], &[&portal()]).contains(key));
    assert!(!browse(&machines[1], &[&portal()]).contains(key));
    assert!(site.event_kinds().contains(&"keys-changed".to_owned()));
}

#[test]
fn who_waits_at_the_front_door_is_told_the_state_and_who_has_no_lease_is_told_that() {
    // No image: the instance is never ready.
    let site = Site::start(&Plan {
        template: Some("image = \"orchestrator/not-there\"\ngrace = \"1s\"".to_owned()),
        ..plan("")
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    client.address(PATIENCE).unwrap();
    let door = format!("http://[{PREFIX}::d0]/any");
    let page = wait_for("the page to say that it is tried again", PATIENCE, || {
        let page = try_to_browse(&machine, &[&door])?;
        page.contains("It is tried again.").then_some(page)
    });
    assert!(
        page.contains("http-equiv=\"refresh\"") && !page.contains("<script"),
        "{page}"
    );
    let told = machine.run("curl", &["--silent", "--max-time", "20", &door]).unwrap();
    assert!(told.starts_with("Your machine is not ready yet."), "{told}");
    let stranger = site.machine("stranger");
    stranger
        .ip(&format!("addr add {PREFIX}::77/64 dev eth0 nodad"))
        .unwrap();
    for address in [&portal(), &door] {
        let page = browse(&stranger, &[address]);
        assert!(page.contains("This device is not known here"), "{page}");
    }
    let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
    let refused = "orchestrator_portal_refusals_total{reason=\"unknown-source\"} 2";
    assert!(metrics.contains(refused), "{metrics}");
}

#[test]
fn an_instance_on_a_link_with_a_front_door_has_its_address_alone() {
    let site = Site::start(&plan(""));
    site.host.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let instance = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let attachment = &instance["attachments"][0];
    assert_eq!(attachment["prefix_length"], 128, "{instance}");
    let address: Ipv6Addr = text(&instance, "address").parse().unwrap();
    // Its answers are forwarded by the host, which learns the way to the client by then.
    let answered = wait_for("an answer", PATIENCE, || {
        machine.get(address, orchestrator_lab::TEST_PORT, "/").ok()
    });
    assert_eq!(answered.text(), "an instance\n");
}

#[test]
fn keys_of_the_api_reach_an_instance_and_its_host_key_stays_when_it_is_made_again() {
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFxNNfzrqW3sTmNJrC5hQWLVo3hL8mGzRZ3lXJmvVqKd me@laptop";
    let site = Site::start(&plan(
        "client_may = [\"restart\"]\nssh = { host_key = \"/www/host_key\", authorized_keys = \"/www/keys\" }",
    ));
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    site.host.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
    let instance = site.wait_ready_for(leased);
    let read = |path: &str| {
        let address: Ipv6Addr = text(&instance, "address").parse().unwrap();
        machine.get(address, orchestrator_lab::TEST_PORT, path).unwrap().text()
    };
    let (host_key, none) = (read("/host_key"), read("/keys"));
    assert_eq!(none, "");
    // OpenSSH reads it.
    let file = site.lab.directory().join("host_key");
    std::fs::write(&file, &host_key).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, mode).unwrap();
    let public = site
        .lab
        .command("ssh-keygen")
        .arg("-y")
        .arg("-f")
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        public.status.success() && public.stdout.starts_with(b"ssh-ed25519 "),
        "{public:?}"
    );
    let path = format!("/v1/clients/{}/keys", text(&instance, "client"));
    let wrong = serde_json::json!({"keys": ["no key"]});
    assert_eq!(site.daemon.send("PUT", &path, &wrong).unwrap().0, 422);
    let keys = serde_json::json!({"keys": [KEY]});
    assert_eq!(site.daemon.send("PUT", &path, &keys).unwrap().0, 200);
    assert_eq!(site.daemon.api("GET", &path).unwrap().1, keys);
    let page = browse(&machine, &[&portal()]);
    let data = format!("token={}&instance={}", field(&page, "token"), field(&page, "instance"));
    browse(&machine, &["--data", &data, &format!("{}/restart", portal())]);
    wait_for("another instance", PATIENCE, || {
        let [other] = site.in_phase("ready").try_into().ok()?;
        (other["id"] != instance["id"]).then_some(())
    });
    assert_eq!(read("/host_key"), host_key);
    assert_eq!(read("/keys"), format!("{KEY}\n"));
}
