//! Names, as clients and instances ask for them by dig, over UDP and TCP.

use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::process::Output;
use std::time::Duration;

use orchestrator_lab::{Dhclient, Engine, Namespace, Program, wait_for};
use serde_json::Value;

use crate::dnsmasq::{hook, plan as of_dnsmasq, tell_with};
use crate::site::{PATIENCE, PREFIX, Plan, Site, address, text};

/// The arguments of dig for a question to a server: one try, and no more than the records in the answer.
fn arguments<'a>(server: &'a str, question: &'a [&'a str]) -> Vec<&'a str> {
    let own = ["+tries=1", "+time=5", "+noall", "+answer", "+comments", server];
    own.into_iter().chain(question.iter().copied()).collect()
}

/// Asks the link's server from a machine: the whole answer, as dig shows it.
pub(crate) fn dig(machine: &Namespace, question: &[&str]) -> String {
    let server = format!("@{PREFIX}::1");
    machine.run("dig", &arguments(&server, question)).unwrap()
}

/// The same while something is waited for: a client has no route to the server before the first router advertisement.
pub(crate) fn asked(machine: &Namespace, question: &[&str]) -> Option<String> {
    let server = format!("@{PREFIX}::1");
    machine.run("dig", &arguments(&server, question)).ok()
}

/// The data of the records in an answer.
pub(crate) fn records(answer: &str) -> Vec<String> {
    let lines = answer.lines().filter(|line| !line.starts_with(';') && !line.is_empty());
    lines
        .map(|line| line.split_whitespace().skip(4).collect::<Vec<_>>().join(" "))
        .collect()
}

fn has_status(answer: &str, status: &str) -> bool {
    answer.contains(&format!("status: {status},"))
}

/// Runs a program within the network of an instance.
fn inside(instance: &Value, program: &str, arguments: &[&str]) -> Output {
    let path = format!("/containers/{}/json", text(instance, "reference"));
    let container = Engine::shared().api("GET", &path, None).unwrap().json().unwrap();
    let netns = format!("--net=/proc/{}/ns/net", container["State"]["Pid"]);
    let mut command = Engine::shared().namespace().lab().command("nsenter");
    command
        .args([netns.as_str(), program])
        .args(arguments)
        .output()
        .unwrap()
}

/// What an instance has in a file.
fn file(instance: &Value, path: &str) -> String {
    let container = format!("/containers/{}/json", text(instance, "reference"));
    let container = Engine::shared().api("GET", &container, None).unwrap().json().unwrap();
    let path = format!("/proc/{}/root{path}", container["State"]["Pid"]);
    std::fs::read_to_string(path).unwrap()
}

fn metric(site: &Site, line: &str) -> bool {
    let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
    metrics.contains(&format!("orchestrator_dns_{line}"))
}

#[test]
fn a_client_and_its_instance_find_each_other_by_name_on_a_link_with_isolation() {
    let site = Site::start(&Plan {
        link: "isolation = true".to_owned(),
        ..Plan::default()
    });
    let [machine, other] = ["client", "other"].map(|name| site.machine(name));
    let mut others = Dhclient::boot(&other, "eth0").unwrap();
    others.address(PATIENCE).unwrap();
    let mut client = Dhclient::boot_with(&machine, "eth0", "send fqdn.fqdn \"annas-laptop\";").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let own = address(&instance).to_string();
    let id = text(&instance, "id");
    let leased = leased.to_string();

    // The name of an instance is there once it is recorded as ready.
    let named = format!("{id}.instance.home.arpa");
    wait_for("the name of the instance", PATIENCE, || {
        (records(&dig(&machine, &[&named, "AAAA"])) == [own.clone()]).then_some(())
    });
    for transport in ["+notcp", "+tcp"] {
        for (name, kind, data) in [
            ("annas-laptop.client.home.arpa", "AAAA", &leased),
            ("ANNAS-laptop.client.HOME.arpa", "AAAA", &leased),
            ("default.annas-laptop.client.home.arpa", "AAAA", &own),
        ] {
            assert_eq!(
                records(&dig(&machine, &[transport, name, kind])),
                std::slice::from_ref(data),
                "{name}"
            );
        }
        let of_client = records(&dig(&machine, &[transport, "-x", &leased]));
        assert_eq!(of_client, ["annas-laptop.client.home.arpa."]);
        let of_instance = records(&dig(&machine, &[transport, "-x", &own]));
        assert_eq!(of_instance, [format!("{named}.")]);
        let nothing = dig(&machine, &[transport, &named, "A"]);
        assert!(
            has_status(&nothing, "NOERROR") && records(&nothing).is_empty(),
            "{nothing}"
        );
        let none = dig(&machine, &[transport, "db.service.home.arpa", "AAAA"]);
        assert!(has_status(&none, "NXDOMAIN"), "{none}");
        let elsewhere = dig(&machine, &[transport, "example.org", "AAAA"]);
        assert!(has_status(&elsewhere, "REFUSED"), "{elsewhere}");
    }
    let about = records(&dig(&machine, &[&named, "TXT"])).remove(0);
    assert!(about.contains("\"template=default\""), "{about}");

    // From inside, where nothing of this machine is to be reached but DNS and metadata.
    let server = format!("@{PREFIX}::1");
    for transport in ["+notcp", "+tcp"] {
        let asked = inside(
            &instance,
            "dig",
            &arguments(&server, &[transport, "annas-laptop.client.home.arpa", "AAAA"]),
        );
        let answer = String::from_utf8_lossy(&asked.stdout).into_owned();
        assert_eq!(records(&answer), std::slice::from_ref(&leased), "{answer}");
    }
    let resolver = file(&instance, "/etc/resolv.conf");
    assert!(resolver.contains(&format!("nameserver {PREFIX}::1")), "{resolver}");
    assert!(resolver.contains("search service.home.arpa home.arpa"), "{resolver}");

    // The client is told by DHCPv6 and by router advertisements.
    let leases = client.leases().unwrap();
    assert!(leases.contains(&format!("dhcp6.name-servers {PREFIX}::1")), "{leases}");
    let whole = machine.run("rdisc6", &["-1", "-w", "5000", "eth0"]).unwrap();
    assert!(
        whole.contains(&format!("Recursive DNS server     : {PREFIX}::1")),
        "{whole}"
    );
    assert!(whole.contains("service.home.arpa"), "{whole}");

    // Names go with what they name.
    client.release().unwrap();
    wait_for("the names to go", PATIENCE, || {
        has_status(&dig(&other, &["annas-laptop.client.home.arpa", "AAAA"]), "NXDOMAIN").then_some(())
    });
    assert!(metric(&site, "answers_udp_total{outcome=\"records\"}"));
}

/// A client that no program stands behind.
fn lease(site: &Site, number: u32, name: &str) -> String {
    let (mac, leased) = (
        format!("02:00:5e:10:00:{number:02x}"),
        format!("{PREFIX}::1:{number:x}"),
    );
    let (duid, words) = (format!("00:03:00:01:{mac}"), ["LEASE_EXPIRES", "0"]);
    let variables = [("INTERFACE", "br0"), (words[0], words[1]), ("MAC", &mac)];
    assert_eq!(tell_with(&hook(site), &["add", &duid, &leased, name], &variables), "");
    leased
}

/// A machine with an address of its own on the link.
fn machine(site: &Site) -> Namespace {
    let machine = site.machine("machine");
    machine
        .ip(&format!("addr add {PREFIX}::1:99/64 dev eth0 nodad"))
        .unwrap();
    machine
}

/// A site that gets its leases from dnsmasq, with these lines for the link and those of sections after it.
fn start(link: &str) -> Site {
    Site::start(&Plan {
        link: link.to_owned(),
        template: None,
        ..of_dnsmasq()
    })
}

/// dnsmasq as a DNS server.
fn resolver(site: &Site, arguments: &[&str]) -> Program {
    let mut command = site.host.command("dnsmasq");
    command.args([
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--user=root",
        "--no-resolv",
        "--no-hosts",
    ]);
    command
        .args(["--log-facility=-", "--bind-interfaces", "--pid-file"])
        .args(arguments);
    Program::start(command, &site.lab.directory().join("resolver.log")).unwrap()
}

/// The condition of the server, as the API shows it.
fn condition(site: &Site) -> Option<Value> {
    let (_, ready) = site.daemon.api("GET", "/v1/ready").ok()?;
    let conditions = ready["conditions"].as_array()?.clone();
    conditions.into_iter().find(|condition| condition["name"] == "dns")
}

#[test]
fn dnsmasq_holds_the_port_and_forwards_the_zones_to_the_daemon() {
    let mut site = start("dns = true\n[dns]\naliases = [\"service.consul\"]\nlisten = [\"[::1]:5354\"]\n");
    let leased = lease(&site, 7, "printer");
    let machine = machine(&site);
    // Asked for, it answers on a link of dnsmasq, too.
    let asked = ["printer.client.home.arpa", "AAAA"];
    wait_for("the name", PATIENCE, || {
        (records(&dig(&machine, &asked)) == [leased.clone()]).then_some(())
    });
    // A client that renews its lease calls itself otherwise.
    lease(&site, 7, "plotter");
    wait_for("the other name", PATIENCE, || {
        (records(&dig(&machine, &["plotter.client.home.arpa", "AAAA"])) == [leased.clone()]).then_some(())
    });
    assert!(has_status(&dig(&machine, &asked), "NXDOMAIN"));
    lease(&site, 7, "printer");
    site.daemon.stop().unwrap();
    let forwarding = [
        "--server=/home.arpa/::1#5354",
        "--server=/service.consul/::1#5354",
        "--interface=br0",
    ];
    let mut dnsmasq = resolver(&site, &[&forwarding[..], &["--except-interface=lo"]].concat());
    let is_there = || {
        machine
            .run("dig", &arguments(&format!("@{PREFIX}::1"), &["localhost"]))
            .ok()
    };
    dnsmasq.poll("dnsmasq to answer", PATIENCE, is_there).unwrap();
    site.daemon.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    let reason = wait_for("the fault to be shown", PATIENCE, || {
        Some(condition(&site)?["reason"].as_str()?.to_owned()).filter(|reason| reason.contains("dnsmasq ("))
    });
    assert!(reason.contains(&format!("[{PREFIX}::1]:53 on link br0")), "{reason}");
    assert!(reason.contains("`dns = false`"), "{reason}");
    let settings = site.daemon.place().join("settings.toml").display().to_string();
    let checked = site.daemon.cli(&["check", "--settings", &settings]).unwrap();
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(
        checked.contains(") holds [") && checked.contains("the daemon answers at [::1]:5354"),
        "{checked}"
    );
    wait_for("the name by way of dnsmasq", PATIENCE, || {
        (records(&dig(&machine, &asked)) == [leased.clone()]).then_some(())
    });
    assert_eq!(
        records(&dig(&machine, &["+tcp", "-t", "SOA", "service.consul"])).len(),
        1
    );
    // When it is gone, the daemon takes the port by itself.
    dnsmasq.stop(PATIENCE).unwrap();
    wait_for("the daemon to answer", PATIENCE, || {
        condition(&site).filter(|condition| condition["ok"] == true)
    });
    assert_eq!(records(&dig(&machine, &asked)), [leased]);
}

#[test]
fn other_names_are_forwarded_for_the_link_and_for_nobody_else() {
    let site = start("dns = true\n[dns]\nforward = [\"[::1]:5399\"]\nlisten = [\"[::1]:5354\"]\n");
    let machine = machine(&site);
    let asked = ["example.org", "AAAA"];
    let failed = dig(&machine, &asked);
    assert!(has_status(&failed, "SERVFAIL"), "nobody is there to ask: {failed}");
    let upstream = [
        "--port=5399",
        "--listen-address=::1",
        "--address=/example.org/2001:db8::7",
    ];
    let _upstream = resolver(&site, &upstream);
    for transport in ["+notcp", "+tcp"] {
        wait_for("the answer of another server", PATIENCE, || {
            let answer = dig(&machine, &[&[transport][..], &asked].concat());
            (records(&answer) == ["2001:db8::7"]).then_some(())
        });
    }
    let here = ["-p", "5354", "example.org", "AAAA"];
    let refused = site.host.run("dig", &arguments("@::1", &here)).unwrap();
    assert!(has_status(&refused, "REFUSED"), "{refused}");
    assert!(metric(&site, "forwarded_total{outcome=\"answered\"} 2"));
}

#[test]
fn hostile_datagrams_floods_and_strangers_keep_nobody_from_an_answer() {
    let site = start("dns = true\n[dns]\nrate = 20\n");
    let leased = lease(&site, 7, "printer");
    let machine = machine(&site);
    let asked = ["printer.client.home.arpa", "AAAA"];
    wait_for("the name", PATIENCE, || {
        (records(&dig(&machine, &asked)) == [leased.clone()]).then_some(())
    });
    // A neighbour floods, from an address of its own and from elsewhere.
    let neighbour = site.machine("neighbour");
    for address in [format!("{PREFIX}::1:66"), "2001:db8::66".to_owned()] {
        neighbour.ip(&format!("addr add {address}/64 dev eth0 nodad")).unwrap();
    }
    neighbour.ip(&format!("route add {PREFIX}::1 dev eth0")).unwrap();
    let server = SocketAddr::from((format!("{PREFIX}::1").parse::<Ipv6Addr>().unwrap(), 53));
    neighbour.within(|| {
        for source in [format!("[{PREFIX}::1:66]:0"), "[2001:db8::66]:0".to_owned()] {
            let socket = UdpSocket::bind(source).unwrap();
            for number in 0..500_usize {
                // A header that counts more than there is, names that refer to themselves, and bytes of any kind.
                let mut datagram = vec![0xa5, number.to_be_bytes()[7], 1, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0];
                datagram.extend([0xc0, 12].repeat(number % 60));
                datagram.extend(vec![number.to_be_bytes()[7]; number * 7 % 4000]);
                // The queue of the interface may be full.
                let _ = socket.send_to(&datagram, server);
            }
            socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            let answers = (0..500).take_while(|_| socket.recv(&mut [0; 2048]).is_ok()).count();
            assert!(answers <= 60, "a source has its rate: {answers}");
        }
    });
    wait_for("strangers and floods to be counted", PATIENCE, || {
        let reasons = ["stranger", "too-often", "too-long"];
        let all = reasons
            .iter()
            .all(|reason| metric(&site, &format!("dropped_total{{reason=\"{reason}\"}}")));
        all.then_some(())
    });
    let stranger = ["-b", "2001:db8::66", asked[0], asked[1]];
    let server = format!("@{PREFIX}::1");
    assert!(
        neighbour
            .run("dig", &[&["+tries=1", "+time=1", &server][..], &stranger].concat())
            .is_err()
    );
    // Somebody else is answered all the same, also while the neighbour holds connections for nothing.
    assert_eq!(records(&dig(&machine, &asked)), std::slice::from_ref(&leased));
    let held: Vec<_> = (0..20)
        .filter_map(|_| {
            neighbour
                .tcp(format!("{PREFIX}::1").parse().unwrap(), 53, Duration::from_secs(5))
                .ok()
        })
        .collect();
    assert_eq!(records(&dig(&machine, &["+tcp", asked[0], asked[1]])), [leased]);
    wait_for("connections to be refused", PATIENCE, || {
        metric(&site, "dropped_total{reason=\"full\"}").then_some(())
    });
    drop(held);
}
