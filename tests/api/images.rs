//! Images and registries through the API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use orchestrator::api::{Caller, ControlError, ImageControl, ListedImage, Meaning, Pruned, Prunings, TemplateImage};
use orchestrator::model::{
    BroughtImage, ByteStream, Credentials, EngineError, HostId, Image, ImageKey, ImagePin, ImageSource, ImageState,
    PullProgress, Timestamp,
};
use orchestrator::store::{NewPin, Store, StoreError};
use orchestrator_catalog::{Catalog, Template};
use serde_json::{Value, json};
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
pub(crate) struct FakeImages(pub(crate) Shelf, pub(crate) Catalog, pub(crate) Store);

impl FakeImages {
    /// Every image was fetched by ada, and nothing uses it.
    fn listed(&self, engine: &str, name: &str) -> ListedImage {
        let image = self.image(name);
        ListedImage {
            brought: Some(BroughtImage {
                key: ImageKey {
                    host: HostId::local(),
                    engine: engine.to_owned(),
                    id: image.id.clone(),
                },
                name: name.to_owned(),
                source: ImageSource::Pulled,
                brought: Timestamp(0),
                by: Some("ada".to_owned()),
                unused: Some(Timestamp(1)),
                state: ImageState::Kept,
            }),
            image,
            uses: Vec::new(),
        }
    }

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

    async fn list(&self, engine: &str) -> Result<Vec<ListedImage>, ControlError> {
        let names: Vec<_> = self.0.images.lock().unwrap().keys().cloned().collect();
        Ok(names.iter().map(|name| self.listed(engine, name)).collect())
    }

    async fn load(&self, _: &Caller, engine: &str, archive: ByteStream) -> Result<Vec<ListedImage>, ControlError> {
        let failed = |fault: EngineError| ControlError::Engine {
            code: fault.code(),
            reason: fault.to_string(),
        };
        let pieces: Vec<_> = archive.try_collect().await.map_err(failed)?;
        let bytes = pieces.concat();
        let name = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Ok(vec![self.listed(engine, &String::from_utf8_lossy(name))])
    }

    async fn pull(
        &self,
        _: &Caller,
        engine: &str,
        image: &str,
        progress: mpsc::Sender<PullProgress>,
    ) -> Result<ListedImage, ControlError> {
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
        Ok(self.listed(engine, image))
    }

    async fn remove(&self, _: &Caller, _: &str, image: &str) -> Result<(), ControlError> {
        self.0.images.lock().unwrap().remove(image);
        Ok(())
    }

    async fn prune(&self, _: &Caller, keep: Option<usize>, dry_run: bool) -> Result<Prunings, ControlError> {
        let names: Vec<_> = self.0.images.lock().unwrap().keys().cloned().collect();
        let mut images = Vec::new();
        for name in names {
            let listed = self.listed("docker", &name);
            let outcome = match (name.as_str(), keep) {
                ("web:1", _) => Pruned::Used,
                ("held:1", _) => Pruned::Failed("a container uses it".to_owned()),
                (_, Some(1..)) => Pruned::Newest,
                _ if dry_run => Pruned::WouldGo,
                _ => {
                    self.0.images.lock().unwrap().remove(&name);
                    Pruned::Removed
                }
            };
            images.push((listed, outcome));
        }
        Ok((images, Vec::new()))
    }

    /// Every template is pinned to the image of version 1, and every name means that of version 2 now.
    async fn template_images(&self, templates: &[Template]) -> Result<Vec<Vec<TemplateImage>>, ControlError> {
        let of = |template: &Template| TemplateImage {
            host: HostId::local(),
            engine: template.settings.engine.clone(),
            image: template.settings.main.image.clone(),
            pin: Some(ImagePin {
                template: template.name.clone(),
                version: template.version,
                host: HostId::local(),
                engine: template.settings.engine.clone(),
                image: template.settings.main.image.clone(),
                digest: format!("sha256:{}", template.version),
                pinned: Timestamp(0),
            }),
            now: Meaning::Image("sha256:2".to_owned()),
            is_there: Some(true),
        };
        Ok(templates.iter().map(|template| vec![of(template)]).collect())
    }

    async fn update_template(&self, by: &Caller, name: &str, expected: Option<u64>) -> Result<Template, ControlError> {
        let declared = self.1.current();
        let template = declared.template(name).cloned();
        let template = template.ok_or_else(|| StoreError::NoSuchTemplate(name.to_owned()))?;
        let pin = NewPin {
            host: HostId::local(),
            engine: template.settings.engine.clone(),
            image: template.settings.main.image.clone(),
            digest: "sha256:2".to_owned(),
        };
        let version = expected.unwrap_or(template.version);
        let (by, at) = (by.to_string(), Timestamp::wall());
        let renewed = self
            .2
            .renew_template(name, template.origin, version, vec![pin], Some(&by), at);
        let version = renewed.await?.version;
        self.1.refresh().await;
        Ok(Template { version, ..template })
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

/// Nothing is removed by a dry run, and nothing that is used or kept.
#[tokio::test]
async fn unused_images_are_named_or_removed_and_each_has_its_outcome() {
    let daemon = Daemon::start().await;
    for name in ["web:1", "held:1", "old:1"] {
        load(&daemon, format!("{name}\n").as_bytes()).await;
    }
    let prune = async |body: Value| {
        let headers = "Content-Type: application/json\r\n";
        let body = body.to_string();
        let answer = ask_with(&daemon.unix, "POST", "/v1/images/prune", headers, body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let items = answer.json()["items"].as_array().unwrap().clone();
        let of = |item: &Value| format!("{} {}", item["image"]["names"][0], item["outcome"]).replace('"', "");
        items.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(
        prune(json!({ "dry_run": true })).await,
        ["held:1 failed", "old:1 would-go", "web:1 used"]
    );
    assert_eq!(prune(json!({ "keep": 1 })).await[1], "old:1 newest");
    assert_eq!(prune(json!({})).await[1], "old:1 removed");
    let listed = get(&daemon.unix, "/v1/images").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let item = &listed["items"][0];
    assert_eq!(
        (&item["ours"], &item["source"], &item["by"]),
        (&json!(true), &json!("pulled"), &json!("ada"))
    );
    assert_eq!(item["unused"], json!("1970-01-01T00:00:00.001Z"));
}

#[tokio::test]
async fn a_template_is_updated_to_the_images_that_its_names_mean_now() {
    let daemon = Daemon::start().await;
    let body = json!({ "name": "fresh", "spec": { "image": "fresh:1" } }).to_string();
    let headers = "Content-Type: application/json\r\n";
    let made = ask_with(&daemon.unix, "POST", "/v1/templates", headers, body.as_bytes()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let image = &made.json()["images"][0];
    assert_eq!(
        (&image["image"], &image["digest"], &image["present"], &image["state"]),
        (
            &json!("fresh:1"),
            &json!("sha256:1"),
            &json!("sha256:2"),
            &json!("newer")
        )
    );
    let update = async |name: &str, headers: &str| {
        let path = format!("/v1/templates/{name}/update");
        ask_with(&daemon.unix, "POST", &path, headers, b"").await
    };
    let other = update("fresh", "If-Match: \"7\"\r\n").await;
    assert_eq!(other.problem(), (409, "template-changed".to_owned()));
    let updated = update("fresh", "If-Match: \"1\"\r\n").await.json();
    assert_eq!(
        (&updated["version"], &updated["images"][0]["state"]),
        (&json!(2), &json!("pinned"))
    );
    let shown = get(&daemon.unix, "/v1/templates/fresh").await;
    assert_eq!((&shown["version"], &shown["spec"]), (&json!(2), &updated["spec"]));
    // What was declared is the same; the old version is still there.
    let old = get(&daemon.unix, "/v1/templates/fresh/versions/1").await;
    assert_eq!((&old["in_force"], &old["spec"]), (&json!(false), &updated["spec"]));
    assert_eq!(
        update("nowhere", "").await.problem(),
        (404, "no-such-template".to_owned())
    );
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
