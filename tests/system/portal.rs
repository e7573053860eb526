//! The page of a client, and the front door while nothing is behind it.

use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use orchestrator::model::Timestamp;
use orchestrator_lab::{Daemon, Dhclient, Lab, Namespace, SelfSigned, wait_for};
use orchestrator_wire::{
    CAPTIVE_PORTAL, ELAPSED_TIME, INFORMATION_REQUEST, Message, REPLY, client_id, duid_ll, message, option,
    option_request,
};
use serde_json::Value;

use crate::images::succeeds;
use crate::site::{BINARY, PATIENCE, PREFIX, Plan, Site, first_process, text, wait_link_local};

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

#[test]
fn a_client_puts_the_end_of_its_instance_off_as_often_as_its_template_says() {
    const HOUR: Duration = Duration::from_secs(3600);
    let site = Site::start(&plan(
        "client_may = [\"extend\"]\nlifetime = \"3h\"\nextend_by = \"2h\"\nextend_times = 2",
    ));
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let instance = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let extend = |token: &str| {
        let data = format!("token={token}&instance={}", text(&instance, "id"));
        let url = format!("{}/extend", portal());
        browse(&machine, &["--data", &data, "--write-out", "%{http_code}", &url])
    };
    let ends =
        |instance: &Value| -> Timestamp { serde_json::from_value(instance["times"]["lifetime_ends"].clone()).unwrap() };
    let page = browse(&machine, &[&portal()]);
    assert!(
        page.contains("Keep it 2 h longer") && page.contains("<dt>Time left</dt><dd>2 h"),
        "{page}"
    );
    assert!(extend("0").ends_with("403"), "a form that is not from the page");
    let token = field(&page, "token");
    assert_eq!(extend(&token), "303");
    let page = browse(&machine, &[&portal()]);
    assert!(
        page.contains("<dt>Time left</dt><dd>4 h") && page.contains("once more"),
        "{page}"
    );
    assert_eq!(extend(&token), "303");
    // It was the last time: nothing is offered, and a form that was kept does nothing.
    let page = browse(&machine, &[&portal()]);
    assert!(
        page.contains("<dt>Time left</dt><dd>6 h") && !page.contains("/extend"),
        "{page}"
    );
    assert!(extend(&token).ends_with("403"));
    let [now] = site.instances().try_into().unwrap();
    assert_eq!(
        (&now["times"]["extended"], ends(&now)),
        (&2.into(), ends(&instance).plus(4 * HOUR))
    );
    let events = site.daemon.items("/v1/events?limit=1000").unwrap();
    let extended = events.iter().filter(|event| event["kind"] == "instance-extended");
    let by: Vec<&Value> = extended.map(|event| &event["by"]).collect();
    assert_eq!(by, ["client", "client"]);
}

/// A certificate for this name that signs itself, in a directory of the lab: the file, and that of its key.
fn certificate(lab: &Lab, name: &str) -> [String; 2] {
    let place = lab.place("certificate").unwrap();
    let [certificate, key] = ["portal.pem", "portal.key"].map(|file| place.join(file));
    let made = SelfSigned {
        certificate: &certificate,
        key: &key,
        alternative: &format!("DNS:{name}"),
        extensions: &[],
    };
    made.make(lab.command("openssl")).unwrap();
    [certificate, key].map(|file| file.display().to_string())
}

#[test]
fn with_a_certificate_the_api_of_captive_portals_is_served_by_https() {
    const NAME: &str = "portal.example.org";
    let lab = Lab::new().unwrap();
    let [file, key] = certificate(&lab, NAME);
    let host = lab.namespace("host").unwrap();
    let plan = plan("lifetime = \"2h\"\nclient_may = [\"extend\"]");
    let section = format!("[portal]\ncertificate = \"{file}\"\nkey = \"{key}\"\nhost = \"{NAME}\"\n");
    let settings = |place: &str| plan.pieces(place).with(&section).text();
    let mut daemon = Daemon::start(&host, BINARY.as_ref(), settings).unwrap();
    daemon.wait_until_ready(PATIENCE).unwrap();
    let site = Site { lab, host, daemon };
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    site.wait_ready_for(client.address(PATIENCE).unwrap());
    assert_eq!(uri_by_dhcp(&site), Some(format!("https://{NAME}/api")));
    let resolve = format!("{NAME}:443:[{PREFIX}::d1]");
    let https = |arguments: &[&str], path: &str| {
        let url = format!("https://{NAME}{path}");
        let mut asked = machine.command("curl");
        asked.args(["--silent", "--max-time", "20", "--resolve", &resolve]);
        asked.args(arguments).arg(&url).output().unwrap()
    };
    let trusting = ["--cacert", &file];
    let answered = https(&[&trusting[..], &["--include"]].concat(), "/api");
    let text = String::from_utf8_lossy(&answered.stdout).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(" 200 ") && head.contains("content-type: application/captive+json"),
        "{head}"
    );
    let told: Value = serde_json::from_str(body).unwrap();
    assert_eq!(told["captive"], false);
    assert_eq!(told["user-portal-url"], format!("https://{NAME}/"));
    assert_eq!(told["can-extend-session"], true);
    assert!(
        (1..=7200).contains(&told["seconds-remaining"].as_u64().unwrap()),
        "{told}"
    );
    // The page is there, too, and its forms work from there.
    let page =
        String::from_utf8(https(&[&trusting[..], &["--header", "Accept: text/html"]].concat(), "/").stdout).unwrap();
    let data = format!("token={}&instance={}", field(&page, "token"), field(&page, "instance"));
    let origin = format!("Origin: https://{NAME}");
    let form = ["--data", &data, "--header", &origin, "--write-out", "%{http_code}"];
    let done = https(&[&trusting[..], &form].concat(), "/extend");
    assert_eq!(String::from_utf8_lossy(&done.stdout), "303");
    // A client that does not trust the certificate ends the connection. That is curl's exit code 60.
    assert_eq!(https(&[], "/api").status.code(), Some(60));
    // Somebody who speaks no TLS gets nothing, and holds nothing up.
    let plain = machine.run(
        "curl",
        &["--silent", "--max-time", "20", &format!("http://[{PREFIX}::d1]:443/")],
    );
    assert!(plain.is_err());
    assert!(https(&trusting, "/api").status.success());
}

#[test]
fn keys_of_a_reservation_and_of_the_command_line_reach_an_instance() {
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFxNNfzrqW3sTmNJrC5hQWLVo3hL8mGzRZ3lXJmvVqKd";
    let site = Site::start(&plan("client_may = [\"keys\"]"));
    let cli = |arguments: &[&str]| succeeds(&site.daemon.cli(arguments).unwrap());
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let instance = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let (duid, id) = (text(&instance, "duid"), text(&instance, "client"));
    let office = KEY.replace("IFxN", "IGxN");
    let office_key = format!("{office} root@office");
    cli(&[
        "reservation",
        "add",
        "--link",
        "br0",
        "--duid",
        &duid,
        "--key",
        &office_key,
    ]);
    let listed = cli(&["key", "add", &id, &format!("{KEY} anna@laptop")]);
    assert!(
        listed.contains("anna@laptop") && listed.contains("root@office"),
        "{listed}"
    );
    let inside = |path: &str| {
        let network = format!("--net=/proc/{}/ns/net", first_process(&instance));
        let url = format!("http://[fd00:6d65:7461::1]/v1/{path}");
        site.host
            .run("nsenter", &[&network, "curl", "--silent", "--max-time", "20", &url])
            .unwrap()
    };
    assert_eq!(inside("keys"), format!("{office} root@office\n{KEY} anna@laptop\n"));
    // The client sees both on its page, and has only its own in the form.
    let page = browse(&machine, &[&portal()]);
    assert!(
        page.contains("anna@laptop</textarea>") && page.contains("<li><code>root@office (SHA256:"),
        "{page}"
    );
    let fingerprint = listed.lines().find(|line| line.contains("anna@laptop")).unwrap();
    let fingerprint = fingerprint.split_whitespace().next().unwrap();
    let left = cli(&["key", "rm", &id, fingerprint]);
    assert!(!left.contains("anna@laptop") && left.contains("root@office"), "{left}");
    assert_eq!(inside("keys"), format!("{office} root@office\n"));
    let missing = site.daemon.cli(&["key", "rm", &id, &office_key]).unwrap();
    assert!(
        !missing.status.success(),
        "a key of a reservation goes with the reservation"
    );
    let reserved = site.daemon.items("/v1/reservations").unwrap();
    cli(&["reservation", "remove", &text(&reserved[0], "id")]);
    assert_eq!(inside("keys"), "");
}

/// The URI of a captive portal that the daemon gives to a client that asks for it by DHCPv6 (RFC 8910).
fn uri_by_dhcp(site: &Site) -> Option<String> {
    let machine = site.machine("asking");
    wait_link_local(&machine);
    let open = || (UdpSocket::bind("[::]:546").unwrap(), if_nametoindex("eth0").unwrap());
    let (socket, interface) = machine.within(open);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let options = [
        client_id(&duid_ll([2, 0, 0, 0, 0, 9])),
        option(ELAPSED_TIME, &[0; 2]),
        option_request(&[CAPTIVE_PORTAL]),
    ];
    let servers = SocketAddrV6::new("ff02::1:2".parse().unwrap(), 547, 0, interface);
    socket
        .send_to(&message(INFORMATION_REQUEST, [1, 0, 3], &options), servers)
        .unwrap();
    let mut room = [0; 1500];
    let length = socket.recv(&mut room).unwrap();
    let reply = Message::parse(&room[..length]);
    assert_eq!(reply.kind, REPLY);
    let uri = reply.options.get(CAPTIVE_PORTAL)?;
    Some(String::from_utf8(uri.to_vec()).unwrap())
}

#[test]
fn without_a_certificate_no_client_is_told_of_the_captive_portal() {
    let site = Site::start(&plan(""));
    assert_eq!(uri_by_dhcp(&site), None);
}
