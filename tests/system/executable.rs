//! Executables as engines: the whole way of a client, and the tests for their authors.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use orchestrator_lab::{Daemon, Dhclient, Lab, Link, Settings, TEST_PORT, lay_out_test_image, wait_for};

use crate::site::{BINARY, PATIENCE, Site, address, text};

fn bubblewrap() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/engines/bubblewrap");
    path.display().to_string()
}

/// A site whose only engine is an executable with this argument.
fn site(lab: &Lab, program: &str, argument: &Path) -> Site {
    let engine = format!(
        "[engine.boxes]\nkind = \"exec\"\nprogram = \"{program}\"\narguments = [\"{}\"]\npoll = \"200ms\"",
        argument.display()
    );
    let template = format!(
        "engine = \"boxes\"\nimage = \"test\"\ngrace = \"0s\"\nmemory = \"none\"\n\
         command = [\"httpd\", \"-f\", \"-p\", \"[::]:{TEST_PORT}\", \"-h\", \"/www\"]\n\
         ready = {{ tcp = {TEST_PORT}, within = \"30s\" }}"
    );
    let settings = |place: &str| {
        let link = Link::new("br0").template(&template);
        Settings::new(place).with(&engine).link(link).text()
    };
    let host = lab.namespace("host").unwrap();
    let mut daemon = Daemon::start_apart(&host, BINARY.as_ref(), settings).unwrap();
    daemon.wait_until_ready(PATIENCE).unwrap();
    Site {
        lab: lab.clone(),
        host,
        daemon,
    }
}

/// A directory of the example, with the test image in it.
fn boxes(lab: &Lab) -> PathBuf {
    let boxes = lab.place("boxes").unwrap();
    lay_out_test_image(&boxes.join("images/test")).unwrap();
    boxes
}

fn containers(boxes: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(boxes.join("containers")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_client_gets_a_container_by_an_executable_and_loses_it_with_its_lease() {
    let lab = Lab::new().unwrap();
    let boxes = boxes(&lab);
    let site = site(&lab, &bubblewrap(), &boxes);
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    machine.tcp(address(&instance), TEST_PORT, PATIENCE).unwrap();

    // Its process is killed: it is started again where it was.
    let container = containers(&boxes).remove(0);
    let process = || fs::read_to_string(container.join("process")).ok();
    let before = process().unwrap();
    let pid = before.split(' ').next().unwrap().to_owned();
    assert!(lab.command("kill").args(["-KILL", &pid]).status().unwrap().success());
    wait_for("another process", PATIENCE, || process().filter(|now| *now != before));
    assert_eq!(site.wait_ready_for(leased)["id"], instance["id"]);
    machine.tcp(address(&instance), TEST_PORT, PATIENCE).unwrap();

    client.release().unwrap();
    site.wait_none();
    assert!(site.host_ends().is_empty());
    assert_eq!(containers(&boxes), Vec::<PathBuf>::new());
    let namespaces = site
        .daemon
        .command("find")
        .args(["/run", "-type", "f"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&namespaces.stdout), "");
}

const FAILS: &str = r#"#!/bin/sh
cd "$1"
request=$(cat)
verb=${request#*'"verb":"'}
verb=${verb%%'"'*}
echo "$verb" >>asked
case $verb in
VERSION) echo '{"result":{"protocols":[1],"name":"Script","version":"1","capabilities":["prepared-namespace"]}}' ;;
CHECK_IMAGE) echo '{"result":{"id":"x"}}' ;;
LIST) echo '{"result":{"containers":[]}}' ;;
FIND) echo '{"result":{"container":null}}' ;;
ADD) echo '{"error":{"code":11,"message":"no box is free"}}'; exit 1 ;;
*) echo '{"result":{}}' ;;
esac
"#;

fn executable(path: &Path, text: &str) -> String {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn an_addition_that_failed_is_followed_by_a_deletion() {
    let lab = Lab::new().unwrap();
    let place = lab.place("script").unwrap();
    let program = executable(&place.join("program"), FAILS);
    let site = site(&lab, &program, &place);
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    client.address(PATIENCE).unwrap();
    wait_for("the reason", PATIENCE, || {
        let instances = site.instances();
        let reason = instances.first()?["reason"].as_str()?;
        reason.contains("no box is free").then_some(())
    });
    client.release().unwrap();
    site.wait_none();
    let asked = fs::read_to_string(place.join("asked")).unwrap();
    let last = |verb: &str| asked.lines().rev().position(|asked| asked == verb);
    assert!(last("DELETE").unwrap() < last("ADD").unwrap(), "{asked}");
}

/// The state of the only image of the only template, as the API shows it.
fn image_state(site: &Site) -> String {
    let templates = site.daemon.items("/v1/templates").unwrap();
    text(&templates[0]["images"][0], "state")
}

/// The page in the container of an address, and the id of the image that it was made from.
fn made(boxes: &Path, instance: &serde_json::Value) -> (String, String) {
    let id = text(instance, "id");
    let all = containers(boxes);
    let one = all
        .iter()
        .find(|path| path.display().to_string().contains(&id))
        .unwrap();
    let made: serde_json::Value = serde_json::from_slice(&fs::read(one.join("made.json")).unwrap()).unwrap();
    let page = fs::read_to_string(one.join("root/www/index.html")).unwrap();
    (page, text(&made["spec"], "image"))
}

#[test]
fn a_template_is_pinned_to_a_version_that_an_executable_keeps() {
    let lab = Lab::new().unwrap();
    let boxes = boxes(&lab);
    let site = site(&lab, &bubblewrap(), &boxes);
    let ready = |name: &str| {
        let machine = site.machine(name);
        let mut client = Dhclient::boot(&machine, "eth0").unwrap();
        let instance = site.wait_ready_for(client.address(PATIENCE).unwrap());
        (client, machine, instance)
    };
    let first = ready("first");
    let (page, old) = made(&boxes, &first.2);
    assert!(page == "an instance\n" && old.starts_with("sha256:"), "{page} {old}");
    assert_eq!(image_state(&site), "pinned");

    // The directory is another image now, which concerns nobody until the template is updated.
    fs::write(boxes.join("images/test/www/index.html"), "another\n").unwrap();
    assert_eq!(image_state(&site), "newer");
    let second = ready("second");
    assert_eq!(made(&boxes, &second.2), (page, old.clone()));
    let updated = site.daemon.cli(&["template", "update", "default"]).unwrap();
    assert!(updated.status.success(), "{}", String::from_utf8_lossy(&updated.stderr));
    let third = ready("third");
    let (page, new) = made(&boxes, &third.2);
    assert!(page == "another\n" && new != old, "{page} {new}");
    wait_for("the metric", PATIENCE, || {
        let metrics = site.daemon.ask("GET", "/metrics").ok()?.text();
        let line = "orchestrator_template_images{state=\"pinned\"} 1";
        metrics.lines().any(|other| other == line).then_some(())
    });

    // What is gone is not replaced by what the name means.
    fs::write(boxes.join("images/test/www/index.html"), "a third\n").unwrap();
    let version = boxes.join("versions").join(new.strip_prefix("sha256:").unwrap());
    fs::remove_dir_all(version).unwrap();
    assert_eq!(image_state(&site), "gone");
    let machine = site.machine("fourth");
    let mut fourth = Dhclient::boot(&machine, "eth0").unwrap();
    fourth.address(PATIENCE).unwrap();
    wait_for("the reason", PATIENCE, || {
        let instances = site.instances();
        let mut reasons = instances.iter().filter_map(|instance| instance["reason"].as_str());
        reasons.any(|reason| reason.contains(&new)).then_some(())
    });
}

#[test]
fn an_executable_without_pins_has_what_the_name_means_and_says_so() {
    let lab = Lab::new().unwrap();
    let place = lab.place("script").unwrap();
    let program = executable(&place.join("program"), FAILS);
    let site = site(&lab, &program, &place);
    wait_for("the capabilities", PATIENCE, || {
        let engines = site.daemon.items("/v1/engines").ok()?;
        (engines[0]["capabilities"] == serde_json::json!(["prepared-namespace"])).then_some(())
    });
    let templates = site.daemon.items("/v1/templates").unwrap();
    assert_eq!(templates[0]["images"], serde_json::json!([]));
    let refused = site.daemon.cli(&["template", "update", "default"]).unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("engine boxes, which pins no images"),
        "{said}"
    );
}

fn plugin_test(lab: &Lab, arguments: &[&str]) -> Output {
    let mut command = lab.command(BINARY);
    command.args(["plugin", "test"]).args(arguments);
    command.output().unwrap()
}

#[test]
fn an_executable_is_tested_and_reported_on() {
    let lab = Lab::new().unwrap();
    let boxes = boxes(&lab);
    let netns = lab.namespace("prepared").unwrap();
    let (argument, path) = (boxes.display().to_string(), netns.path().display().to_string());
    let publish = format!(
        "#!/bin/sh\ncd '{argument}/images'\nname=$(echo \"$1\" | tr / _)\nrm -rf \"$name\" && cp -a test \"$name\" && \
         cat /proc/sys/kernel/random/uuid >\"$name/etc/made\"\n"
    );
    let publish = executable(&boxes.join("publish"), &publish);
    let of_it = [
        "--argument",
        &argument,
        "--image",
        "test",
        "--netns",
        &path,
        "--publish",
        &publish,
    ];
    let output = plugin_test(&lab, &[&[bubblewrap().as_str()], &of_it[..]].concat());
    let shown = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}{said}");
    assert!(shown.starts_with("Bubblewrap "), "{shown}");
    let passed = "passed    lifecycle: a container is made found listed and removed\n";
    assert!(shown.contains(passed), "{shown}");
    for pins in [
        "an id makes a container of its image",
        "an id means its image after the name has moved",
    ] {
        assert!(shown.contains(&format!("passed    pins: {pins}\n")), "{shown}");
    }
    assert!(
        shown.contains(" (it cannot run a further command in a container)\n"),
        "{shown}"
    );
    let last = shown.trim_end().rsplit('\n').next().unwrap();
    assert!(last.contains(" passed, 0 failed, "), "{last}");
    assert_eq!(containers(&boxes), Vec::<PathBuf>::new());

    // One that forgets what it was asked to remove.
    let text = fs::read_to_string(bubblewrap()).unwrap();
    let text = text.replace("\"DELETE\": delete,", "\"DELETE\": stop,");
    let broken = executable(&boxes.join("broken"), &text);
    let only = ["--only", "a_container_is_made", "-o", "json"];
    let output = plugin_test(&lab, &[&[broken.as_str()], &of_it[..], &only[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["passed"], &report["failed"]),
        (&0.into(), &1.into()),
        "{report}"
    );
    let reason = report["cases"][0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("assertion") && reason.contains("lifecycle.rs:"),
        "{reason}"
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("1 tests failed") && !said.contains("panicked"), "{said}");

    let missing = plugin_test(&lab, &["/no/such/program", "--image", "x"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/no/such/program"));
}
