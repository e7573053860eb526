//! Pulls from a registry that does as a test says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use orchestrator_plugin::{Credentials, EngineError, PullProgress};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::http::Registry;
use super::reference::Reference;
use super::transfer::Transfer;

const PASSWORD: &str = "hunter2-of-the-test";

/// An answer: status, headers, body.
#[derive(Clone, Default)]
struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
    /// The length that the head says, where it is not that of the body.
    length: Option<usize>,
}

fn ok(body: impl Into<Vec<u8>>) -> Answer {
    Answer {
        status: 200,
        body: body.into(),
        ..Answer::default()
    }
}

fn status(status: u16, headers: &str) -> Answer {
    Answer {
        status,
        headers: headers.to_owned(),
        ..Answer::default()
    }
}

/// A server on the loopback interface. It ends with the process.
struct Server {
    host: String,
    /// Each request: the path, and what it says of who asks.
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

/// What a server answers to a path and an `Authorization`.
type Answers = Box<dyn Fn(&str, &str) -> Answer + Send + Sync>;

impl Server {
    fn start(answers: impl FnOnce(&str) -> Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, seen) = (Arc::new(answers(&host)), asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, seen) = (answers.clone(), seen.clone());
                thread::spawn(move || {
                    let mut writer = stream.try_clone().unwrap();
                    let mut lines = BufReader::new(stream).lines();
                    if let Some(Ok(line)) = lines.next() {
                        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
                        let mut authorization = String::new();
                        for line in lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()) {
                            if let Some((name, value)) = line.split_once(": ")
                                && name.eq_ignore_ascii_case("authorization")
                            {
                                value.clone_into(&mut authorization);
                            }
                        }
                        let answer = answers(&path, &authorization);
                        seen.lock().unwrap().push((path, authorization));
                        let length = answer.length.unwrap_or(answer.body.len());
                        let head = format!(
                            "HTTP/1.1 {} X\r\n{}Content-Length: {length}\r\nConnection: close\r\n\r\n",
                            answer.status, answer.headers
                        );
                        // A peer that has enough goes.
                        let _ = writer.write_all(head.as_bytes());
                        let _ = writer.write_all(&answer.body);
                    }
                });
            }
        });
        Self { host, asked }
    }

    fn asked(&self) -> Vec<(String, String)> {
        self.asked.lock().unwrap().clone()
    }
}

fn digest(bytes: &[u8]) -> String {
    let digits: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// An image of two layers, as paths below the repository with what is there.
fn image() -> BTreeMap<String, Vec<u8>> {
    let (config, one, two) = (b"{\"os\":\"linux\"}".to_vec(), b"layer one".to_vec(), vec![7; 300_000]);
    let described = |bytes: &[u8]| json!({ "digest": digest(bytes), "size": bytes.len() });
    let layers = [described(&one), described(&two), described(&one)];
    let manifest = json!({ "config": described(&config), "layers": layers })
        .to_string()
        .into_bytes();
    let mut ours = described(&manifest);
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    ours["platform"] = json!({ "os": "linux", "architecture": architecture });
    let index = json!({ "manifests": [ours] }).to_string().into_bytes();
    let manifests = [
        ("manifests/index".to_owned(), index),
        ("manifests/1".to_owned(), manifest.clone()),
        (format!("manifests/{}", digest(&manifest)), manifest),
    ];
    let blobs = [config, one, two].map(|blob| (format!("blobs/{}", digest(&blob)), blob));
    manifests.into_iter().chain(blobs).collect()
}

/// A registry that has this below `/v2/web/`.
fn serving(have: BTreeMap<String, Vec<u8>>) -> Server {
    Server::start(|_| {
        Box::new(move |path, _| {
            let found = path.strip_prefix("/v2/web/").and_then(|path| have.get(path));
            found.map_or(status(404, ""), |body| ok(body.clone()))
        })
    })
}

fn registry(host: &str, version: &str, user: Option<&str>) -> Registry {
    let reference = Reference::parse(&format!("{host}/web{version}")).unwrap();
    let credentials = user.map(|user| Credentials {
        user: user.to_owned(),
        password: PASSWORD.to_owned(),
    });
    Registry::new(reference, credentials, &[])
}

/// Pulls, and returns the archive, or why there is none. What is sent after a fault must be a fault, too.
fn pull(registry: Registry) -> Result<Vec<u8>, EngineError> {
    sent(Transfer::begin(registry)?).map(|(archive, _)| archive)
}

/// The archive and the steps of a transfer, or why there is none.
fn sent(transfer: Transfer) -> Result<(Vec<u8>, Vec<PullProgress>), EngineError> {
    let (sender, mut receiver) = mpsc::channel(4);
    let (progress, mut steps) = mpsc::channel::<PullProgress>(64);
    let sending = thread::spawn(move || transfer.send(&sender, &progress));
    let (mut archive, mut is_broken) = (Vec::new(), false);
    while let Some(piece) = receiver.blocking_recv() {
        assert!(!is_broken, "nothing comes after a fault");
        match piece {
            Ok(piece) => archive.extend_from_slice(&piece),
            Err(_) => is_broken = true,
        }
    }
    let sent = sending.join().unwrap();
    assert_eq!(sent.is_err(), is_broken);
    let steps = std::iter::from_fn(|| steps.blocking_recv()).collect();
    sent.map(|()| (archive, steps))
}

fn fault(registry: Registry) -> EngineError {
    let fault = pull(registry).unwrap_err();
    assert!(!fault.to_string().contains(PASSWORD), "{fault}");
    fault
}

#[test]
fn an_image_comes_as_an_archive_of_all_its_parts_once() {
    for version in [":index", ":1"] {
        let server = serving(image());
        let archive = pull(registry(&server.host, version, None)).unwrap();
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(&archive[..]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            assert!(files.insert(path.clone(), content).is_none(), "{path} comes twice");
        }
        let index = files.remove("index.json").unwrap();
        let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
        let described = &index["manifests"][0];
        assert_eq!(
            described["annotations"]["io.containerd.image.name"],
            format!("{}/web{version}", server.host)
        );
        assert_eq!(files.len(), 4);
        for (path, content) in &files {
            assert_eq!(path.replacen("blobs/sha256/", "sha256:", 1), digest(content));
        }
        let manifest = described["digest"].as_str().unwrap().replacen(':', "/", 1);
        assert!(files.contains_key(&format!("blobs/{manifest}")));
    }
}

/// The image, with a configuration that says which uncompressed layers it has.
fn image_with(layers: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let mut have = image();
    let config = json!({ "os": "linux", "rootfs": { "diff_ids": layers } })
        .to_string()
        .into_bytes();
    let mut manifest: serde_json::Value = serde_json::from_slice(&have["manifests/1"]).unwrap();
    manifest["config"] = json!({ "digest": digest(&config), "size": config.len() });
    have.insert("manifests/1".to_owned(), manifest.to_string().into_bytes());
    have.insert(format!("blobs/{}", digest(&config)), config);
    have
}

/// The steps reach somebody who reads them one by one, and nobody has to read them.
#[test]
fn each_layer_that_is_there_is_told_of_however_many_there_are() {
    let digests: Vec<String> = (0..100)
        .map(|number| digest(format!("layer {number}").as_bytes()))
        .collect();
    let mut have = image_with(&digests.iter().map(String::as_str).collect::<Vec<_>>());
    let mut manifest: serde_json::Value = serde_json::from_slice(&have["manifests/1"]).unwrap();
    let layer = |digest: &String| {
        let mut layer = manifest["layers"][0].clone();
        layer["digest"] = digest.as_str().into();
        layer
    };
    manifest["layers"] = digests.iter().map(layer).collect();
    have.insert("manifests/1".to_owned(), manifest.to_string().into_bytes());
    let server = serving(have);
    for is_read in [true, false] {
        let mut transfer = Transfer::begin(registry(&server.host, ":1", None)).unwrap();
        assert_eq!(transfer.leave_out(&digests.iter().cloned().collect()).len(), 100);
        let (sender, mut receiver) = mpsc::channel(4);
        let (progress, mut steps) = mpsc::channel::<PullProgress>(1);
        if !is_read {
            steps.close();
        }
        let sending = thread::spawn(move || transfer.send(&sender, &progress));
        let reading = thread::spawn(move || std::iter::from_fn(|| steps.blocking_recv()).count());
        while let Some(piece) = receiver.blocking_recv() {
            piece.unwrap();
        }
        sending.join().unwrap().unwrap();
        assert_eq!(reading.join().unwrap(), if is_read { 100 } else { 0 });
    }
}

#[test]
fn a_layer_that_is_there_is_neither_fetched_nor_sent() {
    let (one, two) = (digest(b"one, uncompressed"), digest(b"two, uncompressed"));
    let server = serving(image_with(&[&one, &two, &one]));
    let mut transfer = Transfer::begin(registry(&server.host, ":1", None)).unwrap();
    let layers = transfer.layers();
    assert_eq!(BTreeSet::from_iter(&layers), BTreeSet::from([&one, &two]));
    // What the helper has besides is none of this image.
    let there = BTreeSet::from([two.clone(), digest(b"another")]);
    assert_eq!(transfer.leave_out(&there), [two]);
    let (archive, steps) = sent(transfer).unwrap();
    let mut entries = tar::Archive::new(&archive[..]);
    let paths = entries
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().into_owned());
    // The index, the manifest, the configuration and one layer.
    assert_eq!(paths.count(), 4);
    let large = digest(&vec![7; 300_000]);
    assert!(!server.asked().iter().any(|(path, _)| path.contains(&large)));
    let step = steps
        .iter()
        .find(|step| step.part.as_deref() == large.get(7..19))
        .unwrap();
    assert_eq!(
        (step.status.as_str(), step.bytes),
        ("Already exists", Some((300_000, 300_000)))
    );
}

/// The helper refuses the image then, if it is wrong.
#[test]
fn a_configuration_that_does_not_name_the_layers_leaves_none_out() {
    let one = digest(b"one, uncompressed");
    for layers in [&[][..], &[one.as_str()], &["../x", "", "sha256:0"]] {
        let server = serving(image_with(layers));
        let mut transfer = Transfer::begin(registry(&server.host, ":1", None)).unwrap();
        assert_eq!(transfer.layers(), [""; 0]);
        assert_eq!(
            transfer.leave_out(&layers.iter().map(|layer| (*layer).to_owned()).collect()),
            [""; 0]
        );
        sent(transfer).unwrap();
    }
}

/// Before anybody is asked which layers there are.
#[test]
fn a_configuration_that_is_not_what_its_digest_says_is_refused() {
    let mut have = image_with(&["x", "y", "z"]);
    let manifest: serde_json::Value = serde_json::from_slice(&have["manifests/1"]).unwrap();
    let config = manifest["config"]["digest"].as_str().unwrap();
    let lie = json!({ "os": "linux", "rootfs": { "diff_ids": [digest(b"x"), digest(b"x"), digest(b"x")] } });
    have.insert(format!("blobs/{config}"), lie.to_string().into_bytes());
    let fault = Transfer::begin(registry(&serving(have).host, ":1", None))
        .err()
        .unwrap();
    assert_eq!(fault.code(), "engine-refused");
    assert!(fault.to_string().contains(config), "{fault}");
}

#[test]
fn a_digest_that_was_asked_for_is_verified() {
    let mut have = image();
    let manifest = have["manifests/1"].clone();
    let asked = digest(&manifest);
    let version = format!("@{asked}");
    let server = serving(have.clone());
    let archive = pull(registry(&server.host, &version, None)).unwrap();
    assert!(
        !String::from_utf8_lossy(&archive).contains("containerd"),
        "it has no name"
    );
    have.insert(format!("manifests/{asked}"), [&manifest[..], b" "].concat());
    let fault = fault(registry(&serving(have).host, &version, None));
    assert_eq!(fault.code(), "engine-refused");
    assert!(fault.to_string().contains(&asked), "{fault}");
}

/// Whatever is wrong, nothing is taken for a whole archive.
#[test]
fn parts_that_are_not_as_the_manifest_says_are_refused() {
    let large = digest(&vec![7; 300_000]);
    for (part, body, word) in [
        (
            format!("blobs/{large}"),
            vec![7; 299_999],
            "does not have the 300000 bytes",
        ),
        (
            format!("blobs/{large}"),
            vec![7; 300_001],
            "does not have the 300000 bytes",
        ),
        (
            format!("blobs/{}", digest(b"{\"os\":\"linux\"}")),
            b"{}".to_vec(),
            "the registry sent",
        ),
        ("manifests/1".to_owned(), vec![b' '; 5 << 20], "more than 4194304 bytes"),
        ("manifests/1".to_owned(), b"<html>".to_vec(), "cannot be read"),
    ] {
        let mut have = image();
        have.insert(part, body);
        let fault = fault(registry(&serving(have).host, ":1", None));
        assert_eq!(fault.code(), "engine-refused", "{fault}");
        assert!(fault.to_string().contains(word), "{fault}");
    }
}

#[test]
fn a_registry_that_breaks_off_may_be_asked_again() {
    let have = image();
    let large = format!("/v2/web/blobs/{}", digest(&vec![7; 300_000]));
    let server = Server::start(|_| {
        Box::new(move |path, _| {
            let found = path.strip_prefix("/v2/web/").and_then(|path| have.get(path));
            let answer = found.map_or(status(404, ""), |body| ok(body.clone()));
            match path == large {
                true => Answer {
                    body: vec![7; 1000],
                    length: Some(300_000),
                    ..answer
                },
                false => answer,
            }
        })
    });
    assert_eq!(fault(registry(&server.host, ":1", None)).code(), "engine-failed");
}

#[test]
fn each_answer_of_a_registry_has_its_meaning() {
    for (answer, code) in [
        (status(404, ""), "image-missing"),
        (status(403, ""), "engine-refused"),
        (status(401, ""), "engine-refused"),
        (status(401, "WWW-Authenticate: Negotiate\r\n"), "engine-refused"),
        (status(401, "WWW-Authenticate: Basic realm=\"x\"\r\n"), "engine-refused"),
        (status(418, ""), "engine-refused"),
        (status(429, ""), "engine-failed"),
        (status(503, ""), "engine-failed"),
        (status(302, "Location: /v2/web/manifests/1\r\n"), "engine-refused"),
    ] {
        let server = Server::start(|_| {
            let answer = answer.clone();
            Box::new(move |_, _| answer.clone())
        });
        let fault = fault(registry(&server.host, ":1", Some("robot")));
        assert_eq!(fault.code(), code, "{} {fault}", answer.status);
        assert!(server.asked().len() <= 8, "it does not go on and on");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(fault(registry(&nobody.to_string(), ":1", None)).code(), "engine-failed");
}

#[test]
fn the_password_goes_only_to_where_the_tokens_are() {
    let server = Server::start(|host| {
        let (have, realm) = (image(), format!("http://{host}/token?x=1"));
        Box::new(move |path, authorization| match (path, authorization) {
            (path, "Basic cm9ib3Q6aHVudGVyMi1vZi10aGUtdGVzdA==") if path.starts_with("/token?") => {
                ok("{\"access_token\":\"a-token\"}")
            }
            (path, _) if path.starts_with("/token?") => status(401, ""),
            (path, "Bearer a-token") => ok(have[path.strip_prefix("/v2/web/").unwrap()].clone()),
            _ => status(
                401,
                &format!("WWW-Authenticate: Bearer realm=\"{realm}\",service=\"lab\"\r\n"),
            ),
        })
    });
    pull(registry(&server.host, ":1", Some("robot"))).unwrap();
    let asked = server.asked();
    let basic = asked
        .iter()
        .filter(|(_, authorization)| authorization.starts_with("Basic"));
    let basic: Vec<_> = basic.map(|(path, _)| path.as_str()).collect();
    assert_eq!(basic, ["/token?x=1&scope=repository%3Aweb%3Apull&service=lab"]);
    // Another user's password is refused, and so is none.
    for user in [None, Some("stranger")] {
        let fault = fault(registry(&server.host, ":1", user));
        assert!(fault.to_string().contains("orchestrator registry login"), "{fault}");
    }
}

/// Layers are often elsewhere. There, nobody needs to know who asks.
#[test]
fn who_asks_is_not_said_where_a_registry_points_to() {
    let have = image();
    let elsewhere = serving(have.clone());
    let place = elsewhere.host.clone();
    let server = Server::start(|_| {
        Box::new(move |path, authorization| match authorization {
            "" => status(401, "WWW-Authenticate: Basic realm=\"x\"\r\n"),
            _ if path.contains("/blobs/") => status(307, &format!("Location: http://{place}{path}\r\n")),
            _ => ok(have[path.strip_prefix("/v2/web/").unwrap()].clone()),
        })
    });
    pull(registry(&server.host, ":1", Some("robot"))).unwrap();
    let asked = elsewhere.asked();
    assert!(
        !asked.is_empty() && asked.iter().all(|(_, authorization)| authorization.is_empty()),
        "{asked:?}"
    );
}

#[test]
fn a_registry_elsewhere_is_reached_by_tls_unless_it_is_listed() {
    let server = serving(image());
    // A name that leads to this machine, and is not one of the loopback interface.
    let reference = |host: &str| Reference::parse(&format!("{host}/web:1")).unwrap();
    let port = server.host.rsplit_once(':').unwrap().1;
    let host = format!("0.0.0.0:{port}");
    let fault = fault(Registry::new(reference(&host), None, &[]));
    assert!(server.asked().is_empty(), "{fault}");
    pull(Registry::new(reference(&host), None, std::slice::from_ref(&host))).unwrap();
    assert!(!server.asked().is_empty());
}

#[test]
fn a_pull_ends_with_its_reader() {
    let server = serving(image());
    let transfer = Transfer::begin(registry(&server.host, ":1", None)).unwrap();
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    let (progress, _steps) = mpsc::channel(1);
    transfer.send(&sender, &progress).unwrap();
}
