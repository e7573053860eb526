//! Images and registries through the API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use orchestrator::api::{Caller, ControlError, ImageControl};
use orchestrator::model::{ByteStream, Credentials, EngineError, Image, PullProgress, Timestamp};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::daemon::Daemon;
use crate::http::{Answer, ask, ask_with, connect, get};

/// What the fake has: its images by name, and the credentials of its registries.
#[derive(Clone, Default)]
pub(crate) struct Shelf {
    images: Arc<Mutex<BTreeMap<String, String>>>,
    logins: Arc<Mutex<BTreeMap<String, Credentials>>>,
}

/// One engine, `docker`, with its images in memory. An archive is the name of its image.
pub(crate) struct FakeImages(pub(crate) Shelf);

impl FakeImages {
    fn image(&self, name: &str) -> Image {
        let id = format!("sha256:{name}");
        self.0.images.lock().unwrap().insert(name.to_owned(), id.clone());
        Image {
            id,
            names: vec![name.to_owned()],
            size: Some(7),
            ..Image::default()
        }
    }
}

#[async_trait]
impl ImageControl for FakeImages {
    fn engines(&self) -> Vec<String> {
        vec!["docker".to_owned()]
    }

    fn templates_of(&self, _: &str, image: &str) -> Vec<String> {
        (image == "web:1").then(|| "web".to_owned()).into_iter().collect()
    }

    async fn list(&self, _: &str) -> Result<Vec<Image>, ControlError> {
        let names: Vec<_> = self.0.images.lock().unwrap().keys().cloned().collect();
        Ok(names.iter().map(|name| self.image(name)).collect())
    }

    async fn load(&self, _: &Caller, _: &str, archive: ByteStream) -> Result<Vec<Image>, ControlError> {
        let failed = |fault: EngineError| ControlError::Engine {
            code: fault.code(),
            reason: fault.to_string(),
        };
        let pieces: Vec<_> = archive.try_collect().await.map_err(failed)?;
        let bytes = pieces.concat();
        let name = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Ok(vec![self.image(&String::from_utf8_lossy(name))])
    }

    async fn pull(
        &self,
        _: &Caller,
        _: &str,
        image: &str,
        progress: mpsc::Sender<PullProgress>,
    ) -> Result<Image, ControlError> {
        if image.contains("nowhere") {
            return Err(ControlError::Engine {
                code: "image-missing",
                reason: format!("image {image:?} is not there"),
            });
        }
        let step = PullProgress {
            part: Some("layer".to_owned()),
            status: "Downloading".to_owned(),
            bytes: Some((1, 2)),
        };
        progress.send(step).await.expect("somebody reads");
        Ok(self.image(image))
    }

    async fn remove(&self, _: &Caller, _: &str, image: &str) -> Result<(), ControlError> {
        self.0.images.lock().unwrap().remove(image);
        Ok(())
    }

    async fn registries(&self) -> Result<Vec<(String, Timestamp)>, ControlError> {
        let logins = self.0.logins.lock().unwrap();
        Ok(logins.keys().map(|host| (host.clone(), Timestamp(0))).collect())
    }

    async fn login(&self, _: &Caller, host: &str, credentials: Credentials) -> Result<(), ControlError> {
        self.0.logins.lock().unwrap().insert(host.to_owned(), credentials);
        Ok(())
    }

    async fn logout(&self, _: &Caller, host: &str) -> Result<bool, ControlError> {
        Ok(self.0.logins.lock().unwrap().remove(host).is_some())
    }
}

async fn load(daemon: &Daemon, body: &[u8]) -> Answer {
    ask_with(
        &daemon.unix,
        "POST",
        "/v1/images",
        "Content-Type: application/x-tar\r\n",
        body,
    )
    .await
}

/// Much more than any other body may have.
#[tokio::test]
async fn a_large_archive_is_passed_on_and_its_images_are_listed_and_removed() {
    let daemon = Daemon::start().await;
    let mut archive = b"web:1\n".to_vec();
    archive.resize(1 << 20, 0);
    let loaded = load(&daemon, &archive).await;
    assert_eq!(loaded.status, 200, "{}", loaded.body);
    assert_eq!(loaded.json()["items"][0]["id"], "sha256:web:1");
    let listed = get(&daemon.unix, "/v1/images?engine=docker").await;
    let item = &listed["items"][0];
    assert_eq!(
        (&item["engine"], &item["templates"]),
        (&json!("docker"), &json!(["web"]))
    );
    let removed = ask(&daemon.unix, "DELETE", "/v1/images?image=web:1").await;
    assert_eq!(removed.status, 204, "{}", removed.body);
    assert_eq!(get(&daemon.unix, "/v1/images").await["items"], json!([]));
}

/// And the engine gets nothing that is not whole.
#[tokio::test]
async fn an_archive_that_breaks_off_loads_nothing() {
    let daemon = Daemon::start().await;
    let mut peer = connect(&daemon.unix).await;
    let head = "POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nweb:1\n";
    peer.write_all(head.as_bytes()).await.unwrap();
    peer.shutdown().await.unwrap();
    let mut answer = String::new();
    peer.read_to_string(&mut answer).await.unwrap();
    assert_eq!(get(&daemon.unix, "/v1/images").await["items"], json!([]), "{answer}");
}

#[tokio::test]
async fn a_pull_is_a_stream_of_steps_with_the_image_or_the_problem_at_its_end() {
    let daemon = Daemon::start().await;
    let pull = async |image: &str| {
        let body = json!({ "image": image }).to_string();
        let headers = "Content-Type: application/json\r\nConnection: close\r\n";
        let answer = ask_with(&daemon.unix, "POST", "/v1/images/pull", headers, body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    };
    let body = pull("registry.example/web:1").await;
    let steps = body.lines().filter(|line| line.contains("data:")).count();
    assert_eq!(steps, 2, "{body}");
    assert!(
        body.contains(r#""done":1,"total":2"#) && body.contains(r#""id":"sha256:registry.example/web:1""#),
        "{body}"
    );
    let body = pull("registry.example/nowhere").await;
    assert!(body.contains(r#""code":"image-missing""#), "{body}");
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_a_problem() {
    let daemon = Daemon::start().await;
    for (method, path) in [
        ("GET", "/v1/images?engine=x"),
        ("DELETE", "/v1/images?engine=x&image=web"),
    ] {
        let answer = ask(&daemon.unix, method, path).await;
        assert_eq!(answer.problem(), (404, "no-such-engine".to_owned()), "{method} {path}");
    }
}

/// Not in an answer, nor in the problem of a body that cannot be read.
#[tokio::test]
async fn a_password_is_taken_and_never_shown() {
    let daemon = Daemon::start().await;
    let put = async |body: &str| {
        let headers = "Content-Type: application/json\r\n";
        ask_with(
            &daemon.unix,
            "PUT",
            "/v1/registries/registry.example:5000",
            headers,
            body.as_bytes(),
        )
        .await
    };
    for body in [
        r#"{"user":"robot","password":["hunter2"]}"#,
        r#"{"user":"robot","hunter2":1}"#,
        "hunter2",
    ] {
        let wrong = put(body).await;
        assert_eq!(wrong.status, 400, "{}", wrong.body);
        assert!(!wrong.body.contains("hunter2"), "{}", wrong.body);
    }
    let given = put(r#"{"user":"robot","password":"hunter2"}"#).await;
    assert_eq!(given.status, 204, "{}", given.body);
    let listed = ask(&daemon.unix, "GET", "/v1/registries").await;
    assert_eq!(listed.json()["items"][0]["host"], "registry.example:5000");
    assert!(
        !listed.body.contains("hunter2") && !listed.body.contains("robot"),
        "{}",
        listed.body
    );
    let gone = ask(&daemon.unix, "DELETE", "/v1/registries/registry.example:5000").await;
    assert_eq!(gone.status, 204);
    let again = ask(&daemon.unix, "DELETE", "/v1/registries/registry.example:5000").await;
    assert_eq!(again.problem(), (404, "no-such-registry".to_owned()));
}
