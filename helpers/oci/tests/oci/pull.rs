//! A pull fetches only what the store lacks.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use flate2::Compression;
use flate2::write::GzEncoder;
use orchestrator_lab::{Oci, REGISTRY_PASSWORD, REGISTRY_USER, Registry, RegistryAuth};
use orchestrator_plugin::{Credentials, Engine, Image, Mark, PullProgress, PullRequest};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::support::{PATIENCE, new_id, plugin_at, start};

fn digest(bytes: &[u8]) -> String {
    let digits: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// A layer with one file: as it is, and as a registry has it.
fn layer(name: &str) -> (Vec<u8>, Vec<u8>) {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(7);
    header.set_mode(0o644);
    // Empty fields are no numbers.
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    archive.append_data(&mut header, name, &b"content"[..]).unwrap();
    let plain = archive.into_inner().unwrap();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&plain).unwrap();
    (plain, encoder.finish().unwrap())
}

/// Publishes an image of these layers.
fn publish(registry: &Registry, tag: &str, layers: &[&(Vec<u8>, Vec<u8>)]) -> String {
    let plain: Vec<String> = layers.iter().map(|(plain, _)| digest(plain)).collect();
    let config = json!({ "os": "linux", "comment": tag, "rootfs": { "type": "layers", "diff_ids": plain } });
    let layers = layers.iter().map(|(_, packed)| packed.clone()).collect();
    registry.put(("web", tag), config.to_string().into_bytes(), layers)
}

async fn pull(engine: &dyn Engine, reference: &str) -> (Image, Vec<PullProgress>) {
    let request = PullRequest {
        reference: reference.to_owned(),
        credentials: Some(Credentials {
            user: REGISTRY_USER.to_owned(),
            password: REGISTRY_PASSWORD.to_owned(),
        }),
    };
    let (progress, mut steps) = mpsc::channel(256);
    let image = engine.pull_image(&request, progress).await.unwrap();
    let mut all = Vec::new();
    while let Some(step) = steps.recv().await {
        all.push(step);
    }
    (image, all)
}

/// The blobs that were given out since so many requests: without those that a password was asked for first.
fn fetched(registry: &Registry, since: usize) -> Vec<String> {
    let asked = registry.asked();
    let paths = asked[since..]
        .iter()
        .filter_map(|request| request.split_once("/blobs/"));
    let mut blobs: Vec<String> = paths.map(|(_, digest)| digest.to_owned()).collect();
    blobs.sort();
    blobs.dedup();
    blobs
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_the_store_has_is_not_fetched_again() {
    let oci = start();
    let engine = plugin_at(&oci.socket(), Mark { site: new_id() });
    let registry = Registry::start_here(RegistryAuth::Basic).unwrap();
    let [base, one, two] = ["base", "one", "two"].map(layer);
    let first = publish(&registry, "1", &[&base, &one]);
    let second = publish(&registry, "2", &[&base, &two]);
    let blobs = |image: &Image, layers: &[&(Vec<u8>, Vec<u8>)]| {
        let layers = layers.iter().map(|(_, packed)| digest(packed));
        let mut blobs: Vec<String> = layers.chain([image.id.clone()]).collect();
        blobs.sort();
        blobs
    };

    let (image, _) = pull(engine.as_ref(), &first).await;
    assert_eq!(fetched(&registry, 0), blobs(&image, &[&base, &one]));

    let since = registry.asked().len();
    let (image, steps) = pull(engine.as_ref(), &second).await;
    assert_eq!(fetched(&registry, since), blobs(&image, &[&two]));
    let part = digest(&base.1)[7..19].to_owned();
    let of_base: Vec<_> = steps.iter().filter(|step| step.part.as_ref() == Some(&part)).collect();
    let size = base.1.len() as u64;
    assert_eq!(of_base.len(), 1);
    assert_eq!(
        (of_base[0].status.as_str(), of_base[0].bytes),
        ("Already exists", Some((size, size)))
    );

    // It is whole: the first image goes, and what both have stays.
    engine.remove_image(&first).await.unwrap();
    assert_eq!(
        there(&oci, &[&base, &one, &two]),
        [&base, &two].map(|layer| digest(&layer.0))
    );
    // The first one again, of which only one layer is missing.
    let since = registry.asked().len();
    let (image, _) = pull(engine.as_ref(), &first).await;
    assert_eq!(fetched(&registry, since), blobs(&image, &[&one]));

    for name in [&first, &second] {
        engine.remove_image(name).await.unwrap();
    }
    let since = registry.asked().len();
    let (image, _) = pull(engine.as_ref(), &second).await;
    assert_eq!(fetched(&registry, since), blobs(&image, &[&base, &two]));
}

/// The digests of those of these layers that the helper has.
fn there(oci: &Oci, layers: &[&(Vec<u8>, Vec<u8>)]) -> Vec<String> {
    let layers: Vec<String> = layers.iter().map(|(plain, _)| digest(plain)).collect();
    let there = oci
        .ask("POST", "/v1/layers", Some(&json!({ "layers": layers })))
        .unwrap();
    serde_json::from_value(there).unwrap()
}

#[test]
fn a_load_that_counts_on_a_layer_that_is_gone_may_be_tried_again() {
    let oci = start();
    let gone = digest(b"gone");
    for (layer, status, word) in [
        (
            gone.as_str(),
            "500",
            "is not in the store any more; fetch the image again",
        ),
        ("../x", "422", "../x"),
    ] {
        let mut stream = UnixStream::connect(oci.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = json!({ "layers": [layer] });
        write!(
            stream,
            "POST /v1/images/load HTTP/1.1\r\nHost: helper\r\nConnection: close\r\nContent-Length: 0\r\n\
             x-orchestrator-request: {request}\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(word),
            "{answer}"
        );
    }
}
