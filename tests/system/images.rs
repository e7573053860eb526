//! Images by the command line: loaded from an archive, fetched from a registry with a password, listed, removed.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use orchestrator_lab::{
    Dhclient, Engine, REGISTRY_PASSWORD, REGISTRY_USER, Registry, RegistryAuth, TEST_IMAGE, wait_for,
};
use serde_json::{Value, json};

use crate::site::{BINARY, PATIENCE, Plan, Site, text};

/// An archive of the test image under a name of its own, as `docker save` writes it. The engine keeps only the test image.
fn archive(engine: &Engine, name: &str) -> Vec<u8> {
    let labels = json!({ "Image": TEST_IMAGE, "Labels": { "orchestrator.test": name } });
    let created = engine.api("POST", "/containers/create", Some(&labels)).unwrap();
    let id = created.json().unwrap()["Id"].as_str().unwrap().to_owned();
    let (repository, tag) = name.rsplit_once(':').unwrap();
    for (method, path) in [
        ("POST", format!("/commit?container={id}&repo={repository}&tag={tag}")),
        ("DELETE", format!("/containers/{id}?force=true")),
    ] {
        let answer = engine.api(method, &path, None).unwrap();
        assert!(answer.status < 300, "{method} {path}: {}", answer.text());
    }
    let saved = engine.api("GET", &format!("/images/{name}/get"), None).unwrap().body;
    let answer = engine.api("DELETE", &format!("/images/{name}?force=true"), None);
    assert_eq!(answer.unwrap().status, 200);
    saved
}

fn has(engine: &Engine, name: &str) -> bool {
    engine.api("GET", &format!("/images/{name}/json"), None).unwrap().status == 200
}

#[track_caller]
pub(crate) fn succeeds(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{err}");
    assert_eq!(err, "", "nothing is shown in a pipe besides the result");
    out.into_owned()
}

/// Sends a line by curl, and returns its records. It ends with 0.
fn by_http(site: &Site, line: &str, file: Option<&Path>) -> String {
    let line = format!("line={line}");
    let file = file.map(|file| format!("file=@{}", file.display()));
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--unix-socket"])
        .arg(site.daemon.socket())
        .args(["http://localhost/v1/shell", "--form", &line]);
    if let Some(file) = &file {
        curl.args(["--form", file]);
    }
    let records = succeeds(&curl.output().unwrap());
    assert!(records.ends_with("{\"exit_code\":0}\n"), "{records}");
    records
}

fn kinds(site: &Site) -> Vec<String> {
    let events = site.daemon.items("/v1/events?limit=500").unwrap();
    events.iter().map(|event| text(event, "kind")).collect()
}

#[test]
fn an_image_is_loaded_from_an_archive_listed_and_removed() {
    let (engine, site) = (Engine::shared(), Site::start(&Plan::default()));
    let name = "orchestrator-system/loaded:1";
    let file = site.daemon.place().join("image.tar");
    fs::write(&file, archive(engine, name)).unwrap();
    let said = succeeds(
        &site
            .daemon
            .cli(&["image", "load", &file.display().to_string()])
            .unwrap(),
    );
    assert!(said.contains(&format!("{name}: loaded on engine docker")), "{said}");
    assert!(has(engine, name));
    let listed = succeeds(&site.daemon.cli(&["image", "ls"]).unwrap());
    assert!(listed.lines().any(|line| line.contains(name)), "{listed}");
    let of_template = listed.lines().find(|line| line.contains(TEST_IMAGE)).unwrap();
    assert!(
        of_template.trim_end().ends_with("default"),
        "the template that names it: {listed}"
    );
    let removed = succeeds(&site.daemon.cli(&["image", "rm", name]).unwrap());
    assert!(removed.contains("removed") && !has(engine, name), "{removed}");
    // The same by HTTP, with the archive as a part of the request.
    let said = by_http(&site, "image load image.tar", Some(&file));
    assert!(said.contains(&format!("{name}: loaded on engine docker")), "{said}");
    assert!(has(engine, name));
    let said = by_http(&site, &format!("image rm {name}"), None);
    assert!(said.contains("removed") && !has(engine, name), "{said}");
    let kinds = kinds(&site);
    for kind in ["image-loaded", "image-removed"] {
        assert!(kinds.iter().any(|one| one == kind), "{kinds:?}");
    }
    let missing = site.daemon.cli(&["image", "load", "/no/such/file"]).unwrap();
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/no/such/file"));
    fs::write(&file, "this is no archive").unwrap();
    let refused = site
        .daemon
        .cli(&["image", "load", &file.display().to_string()])
        .unwrap();
    assert!(!refused.status.success(), "{refused:?}");
}

/// The ids of the images of all containers of the site.
fn images_of_containers(site: &Site, engine: &Engine) -> Vec<String> {
    let containers = site.containers(engine).into_iter();
    let mut ids: Vec<String> = containers.map(|container| text(&container, "ImageID")).collect();
    ids.sort();
    ids
}

/// Loads an archive by the command line, and returns the id of its image.
fn load(site: &Site, engine: &Engine, archive: &[u8], name: &str) -> String {
    let file = site.daemon.place().join("image.tar");
    fs::write(&file, archive).unwrap();
    let file = file.display().to_string();
    succeeds(&site.daemon.cli(&["image", "load", &file]).unwrap());
    let found = engine.api("GET", &format!("/images/{name}/json"), None).unwrap();
    text(&found.json().unwrap(), "Id")
}

#[test]
fn instances_have_the_image_of_their_version_until_it_is_updated_and_the_old_image_can_go() {
    let (engine, name) = (Engine::shared(), "orchestrator-system/pinned:1");
    let plan = Plan {
        template: Some(format!("image = \"{name}\"\ngrace = \"0s\"")),
        ..Plan::default()
    };
    let site = Site::start(&plan);
    let cli = |arguments: &[&str]| succeeds(&site.daemon.cli(arguments).unwrap());
    let first = load(&site, engine, &archive(engine, name), name);
    let mut clients = Vec::new();
    let mut boot = |client: &str| {
        let machine = site.machine(client);
        let mut dhclient = Dhclient::boot(&machine, "eth0").unwrap();
        let leased = dhclient.address(PATIENCE).unwrap();
        site.wait_ready_for(leased);
        clients.push((machine, dhclient));
    };
    boot("one");
    assert!(cli(&["template", "show", "default"]).contains("pinned to"));

    let second = load(&site, engine, &archive(engine, name), name);
    assert_ne!(first, second);
    boot("two");
    assert_eq!(images_of_containers(&site, engine), [&*first, &*first]);
    let listed = cli(&["template", "list"]);
    assert!(listed.contains("pinned; newer image"), "{listed}");

    let said = cli(&["template", "update", "default"]);
    assert_eq!(said, "template default, version 2: in force, with the present images\n");
    let said = cli(&["template", "update", "default"]);
    assert_eq!(said, "template default, version 2: has the present images already\n");
    boot("three");
    let mut expected = vec![first.clone(), first.clone(), second.clone()];
    expected.sort();
    assert_eq!(images_of_containers(&site, engine), expected);
    let pruned = cli(&["image", "prune", "--keep", "0"]);
    assert_eq!(pruned, "nothing to remove\n", "instances have the old image");

    for (_, client) in &mut clients {
        client.release().unwrap();
    }
    site.wait_none();
    let pruned = cli(&["image", "prune", "--keep", "0", "--dry-run"]);
    assert!(pruned.contains("would be removed"), "{pruned}");
    let pruned = cli(&["image", "prune", "--keep", "0"]);
    assert!(pruned.lines().count() == 1 && pruned.contains("removed"), "{pruned}");
    assert!(!has(engine, &first) && has(engine, &second));
    let kinds = kinds(&site);
    for kind in ["image-pinned", "image-removed", "template-changed"] {
        assert!(kinds.iter().any(|one| one == kind), "{kinds:?}");
    }
    engine
        .api("DELETE", &format!("/images/{name}?force=true"), None)
        .unwrap();
}

#[test]
fn an_instance_whose_pinned_image_was_removed_says_so_and_so_does_check() {
    let (engine, name) = (Engine::shared(), "orchestrator-system/lost:1");
    let plan = Plan {
        template: Some(format!("image = \"{name}\"\ngrace = \"0s\"")),
        ..Plan::default()
    };
    let site = Site::start(&plan);
    let first = load(&site, engine, &archive(engine, name), name);
    wait_for("the pin", PATIENCE, || {
        kinds(&site).iter().any(|kind| kind == "image-pinned").then_some(())
    });
    let second = load(&site, engine, &archive(engine, name), name);
    let gone = engine.api("DELETE", &format!("/images/{first}?force=true"), None);
    assert_eq!(gone.unwrap().status, 200);
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let reason = wait_for("the reason", PATIENCE, || {
        let instance = site.instances().into_iter().next()?;
        instance["reason"].as_str().map(str::to_owned)
    });
    for word in [&*first, "template update default"] {
        assert!(reason.contains(word), "{reason}");
    }
    let settings = site.daemon.place().join("settings.toml").display().to_string();
    let check = site.daemon.cli(&["check", "--settings", &settings, "-o", "json"]);
    let said = String::from_utf8(check.unwrap().stdout).unwrap();
    assert!(said.contains(&first), "{said}");

    // The client gets its instance of the new version once its old one is given up.
    succeeds(&site.daemon.cli(&["template", "update", "default"]).unwrap());
    let instance = text(&site.instances()[0], "id");
    succeeds(&site.daemon.cli(&["rm", &instance, "--release"]).unwrap());
    site.wait_none();
    client.release().unwrap();
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let again = client.address(PATIENCE).unwrap();
    assert_eq!(again, leased);
    site.wait_ready_for(again);
    assert_eq!(images_of_containers(&site, engine), [&*second]);
    client.release().unwrap();
    site.wait_none();
    engine
        .api("DELETE", &format!("/images/{name}?force=true"), None)
        .unwrap();
}

/// Runs `registry login` with the password on its standard input.
pub(crate) fn login(site: &Site, host: &str, password: &str) {
    let mut child = Command::new(BINARY)
        .args(["registry", "login", host, "--user", REGISTRY_USER])
        .env("ORCHESTRATOR_API", format!("unix:{}", site.daemon.socket().display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(format!("{password}\n").as_bytes())
        .unwrap();
    let said = succeeds(&child.wait_with_output().unwrap());
    assert!(said.contains("sealed") && !said.contains(password), "{said}");
}

fn pulls(auth: RegistryAuth) {
    let (engine, site) = (Engine::shared(), Site::start(&Plan::default()));
    let registry = Registry::start(engine.namespace(), auth).unwrap();
    let own = format!(
        "orchestrator-system/pulled-{}:1",
        registry.host().replace([':', '.'], "-")
    );
    let image = registry
        .publish(&archive(engine, &own), "web", "1", site.daemon.place())
        .unwrap();
    let refused = site.daemon.cli(&["image", "pull", &image]).unwrap();
    assert!(!refused.status.success() && !has(engine, &image), "{refused:?}");
    login(&site, registry.host(), "wrong");
    let refused = site.daemon.cli(&["image", "pull", &image]).unwrap();
    assert!(!refused.status.success() && !has(engine, &image), "{refused:?}");

    login(&site, registry.host(), REGISTRY_PASSWORD);
    let listed = succeeds(&site.daemon.cli(&["registry", "ls"]).unwrap());
    assert!(listed.contains(registry.host()), "{listed}");
    let pulled = succeeds(&site.daemon.cli(&["image", "pull", &image]).unwrap());
    assert!(pulled.contains(&format!("{image}: there on engine docker")), "{pulled}");
    assert!(has(engine, &image));
    assert!(
        registry
            .asked()
            .iter()
            .any(|asked| asked.contains("/v2/web/manifests/1"))
    );
    let missing = site.daemon.cli(&["image", "pull", &image.replace(":1", ":2")]).unwrap();
    assert!(!missing.status.success());

    succeeds(&site.daemon.cli(&["image", "rm", &image]).unwrap());
    assert!(!has(engine, &image));
    succeeds(&site.daemon.cli(&["registry", "logout", registry.host()]).unwrap());
    assert_eq!(site.daemon.items("/v1/registries").unwrap(), Vec::<Value>::new());
    for password in [REGISTRY_PASSWORD, "wrong"] {
        assert!(!site.daemon.log().contains(&format!(":{password}")), "the log shows it");
    }
    assert!(!site.daemon.log().contains(REGISTRY_PASSWORD), "the log shows it");
    let events = site.daemon.items("/v1/events?limit=500").unwrap();
    assert!(
        !json!(events).to_string().contains(REGISTRY_PASSWORD),
        "the timeline shows it"
    );
}

#[test]
fn an_image_is_fetched_with_a_password() {
    pulls(RegistryAuth::Basic);
}

#[test]
fn an_image_is_fetched_with_a_token() {
    pulls(RegistryAuth::Bearer);
}
