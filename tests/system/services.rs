//! Services with a real engine: instances are deployed, checked, found by name, replaced one after the other, and removed.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use orchestrator_lab::{Dhclient, Namespace, TEST_PORT, wait_for};
use serde_json::Value;

use crate::dns::{asked, dig, records};
use crate::oci::site;
use crate::site::{BINARY, PATIENCE, Site};

/// What a line printed to standard output and error, and its exit code.
pub(crate) fn line(site: &Site, words: &[&str]) -> (String, String, i32) {
    let output = site.daemon.cli(words).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        text(&output.stdout),
        text(&output.stderr),
        output.status.code().unwrap(),
    )
}

/// A service file with these further lines: two instances that are checked by HTTP.
pub(crate) fn file(site: &Site, lines: &str) -> String {
    let path = site.daemon.place().join("web.toml");
    let text = format!(
        "name = \"web\"\ninstances = 2\nnetwork = \"br0\"\nengine = \"oci\"\nimage = \"orchestrator/test\"\n\
         ports = {{ http = {TEST_PORT} }}\n\
         health = {{ http = \"/\", port = \"http\", every = \"1s\", successes = 1 }}\n{lines}\n"
    );
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// The endpoints of the service `web` that serve, each with its instance and its address.
fn serving(site: &Site) -> BTreeSet<(String, String)> {
    serving_of(site, "web")
}

pub(crate) fn serving_of(site: &Site, service: &str) -> BTreeSet<(String, String)> {
    let path = format!("/v1/endpoints?service={service}");
    let (_, endpoints) = site.daemon.api("GET", &path).unwrap();
    let items = endpoints["services"][service]["members"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let serves = |item: &&Value| item["state"] == "serving";
    let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    items
        .iter()
        .filter(serves)
        .map(|item| (text(item, "instance"), text(item, "address")))
        .collect()
}

/// A client of the link finds all instances that serve by the service's name, and opens the page of each.
fn is_found(machine: &Namespace, serving: &BTreeSet<(String, String)>) {
    let addresses: BTreeSet<String> = serving.iter().map(|(_, address)| address.clone()).collect();
    wait_for("the name to lead to what serves", PATIENCE, || {
        let found = records(&asked(machine, &["web.service.home.arpa", "AAAA"])?);
        (found.into_iter().collect::<BTreeSet<_>>() == addresses).then_some(())
    });
    let ports = records(&dig(machine, &["_http._tcp.web.service.home.arpa", "SRV"]));
    assert_eq!(ports.len(), addresses.len(), "{ports:?}");
    for address in addresses {
        let page = machine.get(address.parse().unwrap(), TEST_PORT, "/").unwrap();
        assert_eq!(page.status, 200);
    }
}

#[test]
fn a_service_is_deployed_rolled_kept_when_a_version_fails_scaled_and_removed() {
    let (_oci, mut site) = site("");
    let strategy = "strategy = { within = \"20s\", failures = 1, drain = \"2s\" }";
    let first = file(&site, strategy);
    let (out, err, code) = line(&site, &["deploy", &first, "--plan"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("(--expect 0)"), "{out}");
    assert!(serving(&site).is_empty(), "a plan starts nothing");
    let (out, err, code) = line(&site, &["deploy", &first]);
    assert_eq!(code, 0, "{out}{err}");
    let old = serving(&site);
    assert_eq!(old.len(), 2, "{out}");
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    client.address(PATIENCE).unwrap();
    is_found(&machine, &old);
    let (out, _, code) = line(&site, &["deploy", &first]);
    assert_eq!(
        (code, serving(&site)),
        (0, old.clone()),
        "the same file changes nothing: {out}"
    );

    // Another version takes the place of the first.
    let second = file(&site, &format!("{strategy}\nenvironment = {{ MODE = \"two\" }}"));
    let (out, err, code) = line(&site, &["deploy", &second]);
    assert_eq!(code, 0, "{out}{err}");
    let new = serving(&site);
    assert_eq!((new.len(), new.intersection(&old).count()), (2, 0), "{out}");
    is_found(&machine, &new);

    // Another image takes the place of the recorded one, and one that nobody has is given up.
    let (out, err, code) = line(&site, &["bump", "we*", "-v", "latest", "--plan"]);
    assert!(
        code == 0 && out.contains("orchestrator/test:latest") && serving(&site) == new,
        "{out}{err}"
    );
    let (out, err, code) = line(&site, &["bump", "we*", "-v", "latest"]);
    assert_eq!(code, 0, "{out}{err}");
    let bumped = serving(&site);
    assert_eq!((bumped.len(), bumped.intersection(&new).count()), (2, 0), "{out}");
    let new = bumped;
    let (out, err, code) = line(&site, &["bump", "web", "--tag", "latest"]);
    assert_eq!(
        (code, serving(&site)),
        (0, new.clone()),
        "the same image changes nothing: {out}{err}"
    );
    let (_, service) = site.daemon.api("GET", "/v1/services/web").unwrap();
    assert_eq!(service["spec"]["image"], "orchestrator/test:latest");
    assert_eq!(service["spec"]["environment"]["MODE"], "***", "the rest is as it was");
    let (out, err, code) = line(&site, &["bump", "web", "-v", "nowhere"]);
    assert!(code == 1 && err.contains("version"), "{out}{err}");
    assert_eq!(serving(&site), new, "{err}");

    // One that fails is given up: the line says why and fails, and the good one serves on.
    let broken = file(&site, &format!("{strategy}\ncommand = [\"false\"]"));
    let (out, err, code) = line(&site, &["deploy", &broken]);
    assert!(code != 0, "{out}{err}");
    assert!(err.contains("version"), "{err}");
    assert_eq!(serving(&site), new, "{err}");

    // The daemon is killed, and the next one knows everything.
    site.daemon.kill9();
    site.daemon.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    wait_for("the instances to serve again", PATIENCE, || {
        (serving(&site) == new).then_some(())
    });
    let (out, err, code) = line(&site, &["scale", "we*", "+1"]);
    assert_eq!((code, serving(&site).len()), (0, 3), "{out}{err}");
    let (out, _, _) = line(&site, &["services"]);
    assert!(out.contains("web") && out.contains("3/3"), "{out}");
    let (out, err, code) = line(&site, &["undeploy", "web"]);
    assert_eq!(code, 0, "{out}{err}");
    client.release().unwrap();
    site.wait_none();
    assert!(site.host_ends().is_empty());
}

#[test]
fn instances_are_replaced_before_their_lifetime_ends() {
    let (_oci, site) = site("");
    let lines = "lifetime = \"40s\"\nstrategy = { within = \"10s\", drain = \"1s\" }";
    let (out, err, code) = line(&site, &["deploy", &file(&site, lines)]);
    assert_eq!(code, 0, "{out}{err}");
    let first = serving(&site);
    assert_eq!(first.len(), 2, "{out}");
    wait_for("both instances to be replaced", PATIENCE, || {
        let now = serving(&site);
        assert!(now.len() >= 2, "{now:?}");
        now.is_disjoint(&first).then_some(())
    });
    let events = site.daemon.items("/v1/events?after=0&limit=1000").unwrap();
    assert!(
        !events.iter().any(|event| event["kind"] == "instance-expired"),
        "{events:?}"
    );
}

/// A project that is laid out is built without a registry, and deployed by its own service file.
#[test]
fn a_project_is_laid_out_built_and_deployed() {
    let (_oci, site) = site("");
    let place = site.daemon.place().join("projects");
    fs::create_dir(&place).unwrap();
    let runs = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let within = place.display().to_string();
    runs(
        BINARY,
        &["init", "web", "--name", "shop", "--port", "8080", "--within", &within],
    );
    let archive = place.join("shop.tar").display().to_string();
    runs(place.join("shop/build").to_str().unwrap(), &["--output", &archive]);
    let (out, err, code) = line(&site, &["image", "load", &archive, "--engine", "oci"]);
    assert_eq!(code, 0, "{out}{err}");
    let service = place.join("shop/service.toml").display().to_string();
    let (out, err, code) = line(&site, &["deploy", &service, "--set", "engine=oci"]);
    assert_eq!(code, 0, "{out}{err}");
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    client.address(PATIENCE).unwrap();
    let serving = serving_of(&site, "shop");
    assert_eq!(serving.len(), 2);
    for (_, address) in serving {
        let page = machine.get(address.parse().unwrap(), 8080, "/").unwrap();
        assert!(page.text().contains("shop"), "{}", page.text());
    }
    let (_, err, code) = line(&site, &["undeploy", "shop"]);
    assert_eq!(code, 0, "{err}");
}
