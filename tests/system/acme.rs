//! TLS of routes by ACME, from Pebble: down, refusing, issuing, renewing, replaced by another one, and left alone.

use std::fs;
use std::net::Ipv6Addr;
use std::path::Path;

use orchestrator_lab::{Namespace, Pebble, wait_for};

use crate::balancer::{balancers, client, deploy, get, get_by_tls, site_with};
use crate::services::{file, line};
use crate::site::{PATIENCE, Site};

/// A name in the zone of the daemon's DNS server, which Pebble asks, and one that it finds nowhere.
const NAME: &str = "shop.home.arpa";
const NOWHERE: &str = "nowhere.example";
/// Where the zones are answered to everybody.
const DNS: &str = "[::1]:5354";
/// How long certificates live that are to be renewed while the test waits, and those that are not, in seconds.
const SHORT: u64 = 40;
const LONG: u64 = 86_400;

/// Lines of the settings, with this address for mail: another one makes other settings.
fn section(trust: &Path, email: &str) -> String {
    format!(
        "[acme]\nterms_agreed = true\ndirectory = \"{}\"\ntrust = \"{}\"\nemail = \"{email}@example.org\"\n",
        Pebble::DIRECTORY,
        trust.display()
    )
}

/// Puts other settings in force, upon which what failed is tried again at once.
fn hurry(site: &Site, email: (&str, &str)) {
    let path = site.daemon.place().join("settings.toml");
    let text = fs::read_to_string(&path).unwrap();
    let line = |name: &str| format!("email = \"{name}@example.org\"");
    assert!(text.contains(&line(email.0)), "{text}");
    fs::write(&path, text.replace(&line(email.0), &line(email.1))).unwrap();
    let (out, err, code) = self::line(site, &["reload"]);
    assert_eq!((out.as_str(), code), ("acme: changed\n", 0), "{err}");
}

/// What the condition says of certificates.
fn condition(site: &Site) -> Option<String> {
    let (_, ready) = site.daemon.api("GET", "/v1/ready").ok()?;
    let conditions = ready["conditions"].as_array()?.iter();
    let mut of_routes = conditions.filter(|condition| condition["name"] == "route-certificates");
    of_routes.find_map(|condition| condition["reason"].as_str().map(str::to_owned))
}

fn wait_condition(site: &Site, text: &str) -> String {
    wait_for(&format!("the condition to say {text:?}"), PATIENCE, || {
        condition(site).filter(|said| said.contains(text))
    })
}

/// Waits until every balancer shows a chain that ends in this certificate.
fn is_certified(machine: &Namespace, balancers: &[Ipv6Addr], root: &Path) {
    let root = root.display().to_string();
    for balancer in balancers {
        wait_for(&format!("the certificate at {balancer}"), PATIENCE, || {
            get_by_tls(machine, *balancer, NAME, &root).ok()
        });
    }
}

/// The certificate that a balancer shows.
fn shown(machine: &Namespace, balancer: Ipv6Addr) -> String {
    let words = format!("openssl s_client -connect [{balancer}]:443 -servername {NAME} </dev/null | openssl x509");
    machine.run("sh", &["-c", &words]).unwrap()
}

#[test]
fn a_route_is_certified_and_renewed_by_acme_and_a_restart_orders_nothing() {
    let mut trust = Default::default();
    let (_oci, mut site) = site_with(|place| {
        trust = Path::new(place).join("pebble.pem");
        format!("count = 2\n[dns]\nlisten = [\"{DNS}\"]\n{}", section(&trust, "one"))
    });
    Pebble::make_certificate(&site.host, &trust).unwrap();
    let (machine, _client) = client(&site);
    let balancers = balancers(&site, 2);
    let acme = |name: &str| format!("{{ host = \"{name}\", tls = \"acme\" }}");
    deploy(
        &site,
        &file(&site, &format!("route = [{}, {}]", acme(NAME), acme(NOWHERE))),
    );

    // Nobody answers: the route is there without TLS, and the condition says why.
    let said = wait_condition(&site, &format!("{NAME}: no answer of the authority: cannot ask"));
    assert!(said.contains("until then it is not served by TLS"), "{said}");
    let status = wait_for("the redirect", PATIENCE, || get(&machine, balancers[0], NAME).ok());
    assert_eq!(status.0, 308);

    // It answers: one name is certified, and the other one is refused without stopping it.
    let pebble = Pebble::start(&site.host, &trust, DNS, SHORT).unwrap();
    hurry(&site, ("one", "two"));
    is_certified(&machine, &balancers, &pebble.root().unwrap());
    let said = wait_condition(&site, &format!("{NOWHERE}: the authority refused the order: "));
    assert!(said.contains("(failed once)"), "{said}");
    deploy(&site, &file(&site, &format!("route = [{}]", acme(NAME))));

    // It is renewed before it ends.
    let first = shown(&machine, balancers[0]);
    let second = wait_for("another certificate", PATIENCE, || {
        Some(shown(&machine, balancers[0])).filter(|now| *now != first)
    });
    is_certified(&machine, &balancers, &pebble.root().unwrap());

    // Nobody answers when it is due again: the old one is shown.
    drop(pebble);
    let said = wait_condition(&site, &format!("{NAME}: no answer"));
    assert!(said.contains("the certificate from before is still shown"), "{said}");
    let last = shown(&machine, balancers[0]);

    // Another one knows neither the account nor the orders.
    let pebble = Pebble::start(&site.host, &trust, DNS, LONG).unwrap();
    hurry(&site, ("two", "three"));
    is_certified(&machine, &balancers, &pebble.root().unwrap());
    assert!(![first, second, last].contains(&shown(&machine, balancers[0])));
    wait_for("the condition to end", PATIENCE, || {
        condition(&site).is_none().then_some(())
    });

    // What is kept is shown after a restart, and nothing is ordered.
    let state = || (pebble.orders(), shown(&machine, balancers[0]));
    let before = state();
    assert!(before.0 > 0);
    let shows = |site: &Site| site.daemon.log().matches("route has a certificate").count();
    let logged = shows(&site);
    site.daemon.kill9();
    site.daemon.resume().unwrap();
    wait_for("the certificate to be read", PATIENCE, || {
        (shows(&site) > logged).then_some(())
    });
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    is_certified(&machine, &balancers, &pebble.root().unwrap());
    assert_eq!(state(), before);

    // Without an authority, what is kept is shown, also after a restart, and nothing is ordered.
    let path = site.daemon.place().join("settings.toml");
    let text = fs::read_to_string(&path).unwrap();
    let without = text.replace(&section(&trust, "three"), "");
    assert_ne!(text, without);
    fs::write(&path, without).unwrap();
    let (out, err, code) = line(&site, &["reload"]);
    assert_eq!((out.as_str(), code), ("acme: changed\n", 0), "{err}");
    wait_condition(&site, "there is no authority that it could be ordered from");
    let logged = shows(&site);
    site.daemon.kill9();
    site.daemon.resume().unwrap();
    wait_for("the certificate to be read", PATIENCE, || {
        (shows(&site) > logged).then_some(())
    });
    wait_condition(&site, "there is no authority that it could be ordered from");
    is_certified(&machine, &balancers, &pebble.root().unwrap());
    assert_eq!(state(), before);

    let settings = path.display().to_string();
    let (listed, err, code) = line(&site, &["secrets", "--settings", &settings]);
    assert_eq!(code, 0, "{err}");
    for row in [&format!("certificate/acme/{NAME}"), "acme/account/---1--14000/dir"] {
        assert!(listed.contains(row), "{row}: {listed}");
    }
    assert!(!listed.contains(&format!("acme/order/{NAME}")), "{listed}");
    assert!(!site.daemon.log().contains("PRIVATE KEY"), "no key is shown");
}
