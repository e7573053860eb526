//! Images by the command line: loaded from an archive, fetched from a registry with a password, listed, removed.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use orchestrator_lab::{Engine, REGISTRY_PASSWORD, REGISTRY_USER, Registry, RegistryAuth, TEST_IMAGE};
use serde_json::{Value, json};

use crate::site::{BINARY, Plan, Site, text};

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
fn succeeds(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{err}");
    assert_eq!(err, "", "nothing is shown in a pipe besides the result");
    out.into_owned()
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

/// Runs `registry login` with the password on its standard input.
fn login(site: &Site, host: &str, password: &str) {
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
