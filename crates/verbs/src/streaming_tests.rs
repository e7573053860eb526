//! The verbs that read or write files and archives, on an API in memory.

use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use orchestrator_model::Timestamp;
use serde_json::json;

use crate::tests::Printed;
use crate::{
    Api, CallError, Line, Local, LocalFile, NewFile, Nothing, Request, Session, Stream, Terminal, Typed, Typing,
};

/// A volume whose archive breaks off in its second piece if the id begins with "b", and an engine. An archive of images is
/// the name of its image.
#[derive(Default)]
struct Store(Mutex<Vec<String>>);

#[async_trait]
impl Api for Store {
    async fn call(&self, request: Request) -> Result<Bytes, CallError> {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        self.0.lock().unwrap().push(format!("{} {body}", request.path));
        let template = json!({
            "name": "web", "version": 1, "origin": "api", "in_force": true, "changed": "2023-11-14T22:13:10Z",
            "by": null, "used_by": [], "images": [], "spec": {"image": "web"}
        });
        Ok(template.to_string().into())
    }

    async fn open(&self, request: Request, media_type: &str) -> Result<Stream, CallError> {
        self.0.lock().unwrap().push(format!("{} as {media_type}", request.path));
        if request.path.ends_with("/pull") {
            let image = json!({"engine": "docker", "id": "sha256:1", "names": ["web"], "digests": [], "ours": true,
                "templates": [], "used_by": []});
            let steps = [
                json!({"status": "Downloading", "part": "a", "done": 512, "total": 1024}),
                json!({"status": "there", "image": image}),
            ];
            let breaks_off = String::from_utf8_lossy(&request.body).contains("broken");
            let steps = steps.into_iter().take(if breaks_off { 1 } else { 2 });
            let steps: Vec<_> = steps.map(|step| Ok(format!("data: {step}\n\n").into())).collect();
            return Ok(Box::pin(stream::iter(steps)));
        }
        let second = match request.path.contains("/b") {
            true => Err(io::Error::other("the disk is broken")),
            false => Ok(Bytes::from_static(b"\xff\0two")),
        };
        Ok(Box::pin(stream::iter([Ok(Bytes::from_static(b"one")), second])))
    }

    async fn exchange(&self, path: &str, media_type: &str, mut body: Stream) -> Result<Stream, CallError> {
        let mut whole = Vec::new();
        while let Some(piece) = body.next().await {
            whole.extend_from_slice(&piece.map_err(|error| CallError::Failed(error.into()))?);
        }
        let name = String::from_utf8(whole).unwrap();
        self.0.lock().unwrap().push(format!("{path} {media_type} {name}"));
        let image = json!({"engine": "docker", "id": "sha256:1", "names": [name], "digests": [], "ours": true,
            "templates": [], "used_by": []});
        let answer = json!({"items": [image], "faults": []}).to_string();
        Ok(Box::pin(stream::iter([Ok(answer.into())])))
    }
}

/// Files with their contents.
type Files = Vec<(String, Vec<u8>)>;

/// Every file has its name as content, but for one that cannot be read; what is written is kept once it is placed.
#[derive(Clone, Default)]
struct Desk(Arc<Mutex<Files>>);

struct Sheet(Desk, String, Vec<u8>);

#[async_trait]
impl NewFile for Sheet {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.2.extend_from_slice(bytes);
        Ok(())
    }

    async fn place(self: Box<Self>) -> io::Result<()> {
        let Self(desk, name, content) = *self;
        desk.0.lock().unwrap().push((name, content));
        Ok(())
    }
}

#[async_trait]
impl Local for Desk {
    async fn file(&self, name: &str) -> io::Result<LocalFile> {
        match name {
            "nowhere" => Nothing.file(name).await,
            name => Ok(LocalFile {
                content: Bytes::copy_from_slice(name.as_bytes()),
                executable: false,
            }),
        }
    }

    async fn create(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(Sheet(self.clone(), name.to_owned(), Vec::new())))
    }

    async fn confirm(&self, _: &str) -> Option<bool> {
        None
    }

    fn terminal(&self) -> io::Result<Terminal> {
        Nothing.terminal()
    }

    fn input(&self) -> io::Result<Typing> {
        let pieces = ["hun", "ter2\n", "more"].map(|piece| Typed::Bytes(piece.into()));
        Ok(Box::pin(stream::iter(pieces)))
    }
}

async fn run(line: &str, api: &Store, local: &dyn Local) -> (Printed, Result<(), crate::Failure>) {
    let line = Line::parse(line.split(' ')).unwrap_or_else(|misuse| panic!("{line}: {}", misuse.text));
    let mut printed = Printed::default();
    let mut session = Session {
        api,
        sink: &mut printed,
        output: line.output,
        now: Timestamp(1_700_000_000_000),
        local,
        limit: None,
    };
    let outcome = line.verb.run(&mut session).await;
    (printed, outcome)
}

#[tokio::test]
async fn an_archive_is_sent_from_a_file_or_from_standard_input_and_not_without_it() {
    let store = Store::default();
    for (file, name) in [("web.tar", "web.tar"), ("-", "hunter2\nmore")] {
        let (printed, outcome) = run(&format!("image load {file} -o name"), &store, &Desk::default()).await;
        outcome.unwrap();
        assert_eq!(printed.progress, [""], "nobody looks: {file}");
        let sent = store.0.lock().unwrap().pop().unwrap();
        assert_eq!(sent, format!("/v1/images application/x-tar {name}"));
    }
    for local in [&Desk::default() as &dyn Local, &Nothing] {
        let failure = run("image load nowhere", &store, local).await.1.unwrap_err();
        let text = orchestrator_runtime::causes::with_causes(&failure);
        assert!(
            text.contains("cannot read nowhere") && text.contains("did not come with the line"),
            "{text}"
        );
    }
    let failure = run("image load -", &store, &Nothing).await.1.unwrap_err();
    let text = orchestrator_runtime::causes::with_causes(&failure);
    assert!(text.contains("no standard input came"), "{text}");
    assert!(store.0.lock().unwrap().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn a_pull_shows_its_steps_as_progress_and_fails_when_it_breaks_off() {
    let (printed, outcome) = run("image pull web", &Store::default(), &Nothing).await;
    outcome.unwrap();
    assert_eq!(printed.progress, ["web: Downloading 512 B of 1.0 KiB", ""]);
    let (_, outcome) = run("image pull broken", &Store::default(), &Nothing).await;
    let failure = outcome.unwrap_err();
    assert!(
        failure.to_string().contains("stopped fetching broken") && failure.code() == 1,
        "{failure}"
    );
}

#[tokio::test]
async fn an_archive_of_a_volume_is_written_whole_or_not_at_all() {
    let (store, desk) = (Store::default(), Desk::default());
    let (printed, outcome) = run("volume export aaaaaaaaaaaa a.tar", &store, &desk).await;
    outcome.unwrap();
    let so_far: Vec<&str> = printed
        .progress
        .iter()
        .filter_map(|line| line.split(',').next())
        .collect();
    assert_eq!(so_far, ["volume export: 3 B", "volume export: 8 B", ""]);
    let whole = ("a.tar".to_owned(), b"one\xff\0two".to_vec());
    assert_eq!(*desk.0.lock().unwrap(), [whole]);
    for line in ["volume export bbbbbbbbbbbb b.tar", "volume export bbbbbbbbbbbb -"] {
        let failure = run(line, &store, &desk).await.1.unwrap_err();
        assert!(failure.to_string().contains("the disk is broken"), "{line}: {failure}");
        assert_eq!(failure.code(), 1);
    }
    assert_eq!(desk.0.lock().unwrap().len(), 1, "nothing of it is left");
    assert_eq!(
        store.0.lock().unwrap()[0],
        "/v1/volumes/aaaaaaaaaaaa/export as application/x-tar"
    );
    // Where no file can be written, nothing is asked.
    let store = Store::default();
    let failure = run("volume export aaaaaaaaaaaa a.tar", &store, &Nothing)
        .await
        .1
        .unwrap_err();
    let text = orchestrator_runtime::causes::with_causes(&failure);
    assert!(text.contains("give \"-\" in place of the file"), "{text}");
    assert!(store.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_password_is_the_first_line_of_standard_input() {
    let store = Store::default();
    let line = "registry login registry.example -u robot";
    run(line, &store, &Desk::default()).await.1.unwrap();
    let sent = store.0.lock().unwrap()[0].clone();
    assert!(sent.contains(r#""password":"hunter2""#), "{sent}");
    assert!(run(line, &store, &Nothing).await.1.is_err());
}

#[tokio::test]
async fn a_template_is_read_from_a_file_of_a_bounded_size() {
    let store = Store::default();
    // The content of the file is its name.
    run(r#"template create web --file image="web""#, &store, &Desk::default())
        .await
        .1
        .unwrap();
    let sent = store.0.lock().unwrap()[0].clone();
    assert!(sent.contains(r#""spec":{"image":"web"}"#), "{sent}");
    let long = "#".repeat(70_000);
    let failure = run(&format!("template create web --file {long}"), &store, &Desk::default())
        .await
        .1
        .unwrap_err();
    assert!(failure.to_string().contains("has more than 65536 bytes"), "{failure}");
}
