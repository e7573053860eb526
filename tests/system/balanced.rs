//! Balancers beyond routes: clients that stay with their instance, the address of a client, and
//! the page of statistics.
//!
//! With `ORCHESTRATOR_PICTURES=DIRECTORY`, a picture of the page is left there.

use std::env;
use std::fs;
use std::net::Ipv6Addr;
use std::path::Path;

use orchestrator_lab::{Browser, Dhclient, Namespace, wait_for};

use crate::balancer::{balancers, client, deploy, get, is_led, site};
use crate::services::{file, line, serving_of};
use crate::site::{PATIENCE, Site};

/// How often a client asks to see that it stays where it is.
const REQUESTS: usize = 20;

/// Answers every connection with the header of the PROXY protocol that it began with, in hexadecimal digits.
const ECHO: &str = r#"
[[file]]
target = "/echo.sh"
text = """
header=$(busybox dd bs=1 count=52 2>/dev/null | busybox xxd -p -c 99)
while read -r line; do
  case "$line" in ?*[!$(printf '\\r')]*) ;; *) break ;; esac
done
printf 'HTTP/1.0 200 OK\\r\\nContent-Length: %s\\r\\n\\r\\n%s' ${#header} "$header"
"""
"#;

/// The begin of a header of version 2 for TCP over IPv6 (PROXY protocol, section 2.2), in hexadecimal digits.
const SIGNATURE: &str = "0d0a0d0a000d0a515549540a21210024";

/// The page that a name leads to.
fn page(machine: &Namespace, balancer: Ipv6Addr, host: &str) -> String {
    let (status, body) = get(machine, balancer, host).unwrap();
    assert_eq!(status, 200, "{body}");
    body
}

/// An operator's machine on the link, with its lease and its address.
fn operator(site: &Site) -> (Namespace, Dhclient, Ipv6Addr) {
    let machine = site.machine("operator");
    let mut lease = Dhclient::boot(&machine, "eth0").unwrap();
    let address = lease.address(PATIENCE).unwrap();
    (machine, lease, address)
}

/// The same client is led to the same instance while that serves, and then to another one.
fn stays(site: &Site, machine: &Namespace, balancer: Ipv6Addr) {
    let route = "sticky = true\nstrategy = { drain = \"2s\" }\nroute = [{ host = \"web.example\", port = \"http\" }]";
    deploy(site, &file(site, route));
    is_led(machine, &[balancer], "web.example");
    let serving = serving_of(site, "web");
    assert_eq!(serving.len(), 2);
    let first = page(machine, balancer, "web.example");
    for _ in 1..REQUESTS {
        assert_eq!(page(machine, balancer, "web.example"), first);
    }
    // An instance is called after its id.
    let (own, _) = serving.iter().find(|(id, _)| first.contains(id.as_str())).unwrap();
    let (status, answer) = site.daemon.api("DELETE", &format!("/v1/instances/{own}")).unwrap();
    assert!(status < 300, "{answer}");
    wait_for("another instance", PATIENCE, || {
        let (status, body) = get(machine, balancer, "web.example").ok()?;
        (status == 200 && body != first).then_some(())
    });
    let (_, err, code) = line(site, &["undeploy", "web"]);
    assert_eq!(code, 0, "{err}");
}

/// An instance of a service with `proxy_protocol` gets the address of the client.
fn is_told(site: &Site, machine: &Namespace, address: Ipv6Addr, balancer: Ipv6Addr) {
    let path = site.daemon.place().join("echo.toml");
    let keys = "name = \"echo\"\ninstances = 1\nnetwork = \"br0\"\nengine = \"oci\"\nimage = \"orchestrator/test\"\n\
                ports = { http = 80 }\nhealth = { tcp = \"http\" }\nproxy_protocol = true\n\
                command = [\"nc\", \"-ll\", \"-p\", \"80\", \"-e\", \"sh\", \"/echo.sh\"]\n\
                route = [{ host = \"echo.example\", port = \"http\" }]\n";
    fs::write(&path, format!("{keys}{ECHO}")).unwrap();
    deploy(site, &path.display().to_string());
    is_led(machine, &[balancer], "echo.example");
    let header = page(machine, balancer, "echo.example");
    let source: String = address.octets().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(header.starts_with(&format!("{SIGNATURE}{source}")), "{header}");
}

/// A machine with an allowed address reads the page of statistics, and no other machine does.
fn is_for_operators(site: &Site, machine: &Namespace, (operator, address): (&Namespace, Ipv6Addr)) {
    let settings = site.daemon.place().join("settings.toml");
    let before = fs::read_to_string(&settings).unwrap();
    let section = format!("[balancer]\nstatistics = [\"{address}/128\"]\n");
    assert!(before.contains("[balancer]\n"));
    fs::write(&settings, before.replace("[balancer]\n", &section)).unwrap();
    let (out, err, code) = line(site, &["reload"]);
    assert_eq!(code, 0, "{out}{err}");
    let (balancer, table) = wait_for("the statistics", PATIENCE, || {
        let balancer = *balancers(site, 1).first()?;
        let page = operator.get(balancer, 8404, "/;csv").ok()?;
        (page.status == 200).then(|| (balancer, page.text()))
    });
    assert!(
        table.starts_with("# pxname,") && table.contains("plain,FRONTEND,"),
        "{table}"
    );
    assert!(
        operator
            .get(balancer, 8404, "/")
            .unwrap()
            .text()
            .contains("Statistics Report")
    );
    for path in ["/", "/;csv"] {
        let refused = machine.get(balancer, 8404, path);
        assert!(
            refused.is_err() || refused.is_ok_and(|page| page.status == 403),
            "{path} is for operators"
        );
    }
    let browser = Browser::start(operator).unwrap();
    browser.open(&format!("http://[{balancer}]:8404/")).unwrap();
    let text = browser.text().unwrap();
    assert!(text.contains("Statistics Report") && text.contains("plain"), "{text}");
    if let Some(directory) = env::var_os("ORCHESTRATOR_PICTURES") {
        browser.become_screen(1280, 800, false).unwrap();
        browser.picture(&Path::new(&directory).join("statistics.png")).unwrap();
    }
}

#[test]
fn clients_stay_with_their_instance_instances_are_told_who_asks_and_operators_read_the_statistics() {
    let (_oci, site) = site("count = 1");
    let (machine, _client) = client(&site);
    let (own, _lease, address) = operator(&site);
    let balancer = balancers(&site, 1)[0];
    stays(&site, &machine, balancer);
    is_told(&site, &own, address, balancer);
    is_for_operators(&site, &machine, (&own, address));
}
