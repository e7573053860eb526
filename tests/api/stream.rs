//! The timeline as it grows.

use std::time::Duration;

use orchestrator::api::Limits;
use orchestrator::model::{EventKind, NewEvent, Timestamp};
use orchestrator::settings::Listen;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::daemon::Daemon;
use crate::http::{PATIENCE, Wire, ask, ask_with, connect};

/// A stream of events that is open.
struct Stream {
    wire: Box<dyn Wire>,
    text: String,
}

impl Stream {
    /// Opens it; returns when its head has come, so that whatever is committed from now on is in it.
    async fn open(place: &Listen, path: &str, headers: &str) -> Self {
        let mut wire = connect(place).await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{headers}\r\n");
        wire.write_all(request.as_bytes()).await.unwrap();
        let mut stream = Self {
            wire,
            text: String::new(),
        };
        stream.read_until("\r\n\r\n").await;
        assert!(stream.text.starts_with("HTTP/1.1 200"), "{}", stream.text);
        assert!(stream.text.contains("text/event-stream"), "{}", stream.text);
        stream
    }

    /// Reads until `text` has come; `false` when the stream ended without it.
    async fn read_until(&mut self, text: &str) -> bool {
        let reading = async {
            let mut buffer = [0; 4096];
            while !self.text.contains(text) {
                match self.wire.read(&mut buffer).await {
                    Ok(0) | Err(_) => return false,
                    Ok(length) => self.text.push_str(&String::from_utf8_lossy(&buffer[..length])),
                }
            }
            true
        };
        tokio::time::timeout(PATIENCE, reading)
            .await
            .unwrap_or_else(|_| panic!("waited for {text:?}"))
    }

    /// The ids of the events so far.
    fn ids(&self) -> Vec<i64> {
        self.text
            .lines()
            .filter_map(|line| line.strip_prefix("id: "))
            .map(|id| id.parse().unwrap())
            .collect()
    }
}

#[tokio::test]
async fn a_stream_begins_now_and_goes_on() {
    let daemon = Daemon::start().await;
    daemon.client(1).await;
    let mut stream = Stream::open(&daemon.tcp, "/v1/events", "").await;
    for n in 2..=5 {
        daemon.client(n).await;
    }
    assert!(stream.read_until("id: 5\n").await);
    assert_eq!(stream.ids(), [2, 3, 4, 5]);
    assert!(stream.text.contains("event: lease-granted\n"));
    assert!(stream.text.contains("\"address\":\"fd39::1:2\""));
}

#[tokio::test]
async fn a_stream_is_resumed_where_it_broke_off() {
    let daemon = Daemon::start().await;
    for n in 1..=5 {
        daemon.client(n).await;
    }
    let mut resumed = Stream::open(&daemon.unix, "/v1/events", "Last-Event-ID: 3\r\n").await;
    let mut from_start = Stream::open(&daemon.unix, "/v1/events?after=0", "").await;
    // A reader that reconnects by itself repeats its first URL: the header is newer.
    let mut both = Stream::open(&daemon.unix, "/v1/events?after=0", "Last-Event-ID: 4\r\n").await;
    daemon.client(6).await;
    for stream in [&mut resumed, &mut from_start, &mut both] {
        assert!(stream.read_until("id: 6\n").await);
    }
    assert_eq!(resumed.ids(), [4, 5, 6]);
    assert_eq!(from_start.ids(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(both.ids(), [5, 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_lags_misses_nothing() {
    let daemon = Daemon::start().await;
    let mut stream = Stream::open(&daemon.unix, "/v1/events?after=0", "").await;
    // More than the bell remembers, and more than the socket holds.
    let writers: Vec<_> = (0..8_u16)
        .map(|writer| {
            let store = daemon.store.clone();
            tokio::spawn(async move {
                for _ in 0..500 {
                    let detail = Some(format!("{writer} {}", "x".repeat(200)));
                    let event = NewEvent {
                        detail,
                        ..NewEvent::new(Timestamp::wall(), EventKind::Refused)
                    };
                    store.append_event(event).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(stream.read_until("id: 4000\n").await);
    assert_eq!(stream.ids(), (1..=4000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_is_filtered() {
    let daemon = Daemon::start().await;
    let client = daemon.client(1).await;
    let mut stream = Stream::open(&daemon.unix, &format!("/v1/events?client={client}"), "").await;
    daemon.client(2).await;
    daemon.client(3).await;
    daemon.instance(1, [1; 6]).await;
    assert!(stream.read_until("instance-wanted").await);
    assert_eq!(stream.ids(), [4]);
}

#[tokio::test]
async fn a_filtered_stream_catches_up_and_goes_on() {
    let daemon = Daemon::start().await;
    let one = daemon.client(1).await;
    daemon.clients(1500).await;
    daemon.instance(1, [1; 6]).await;
    let mut stream = Stream::open(&daemon.unix, &format!("/v1/events?after=0&client={one}"), "").await;
    assert!(stream.read_until("instance-wanted").await);
    daemon.client(2000).await;
    daemon
        .store
        .destroy_instance(
            orchestrator::model::Id::from_bytes([1; 6]),
            Timestamp::wall(),
            None,
            None,
        )
        .await
        .unwrap();
    assert!(stream.read_until("instance-destroyed").await);
    // Client 0 and 2 to 1499 came in between, and 2000.
    assert_eq!(stream.ids(), [1, 1501, 1503]);
}

#[tokio::test]
async fn what_makes_no_sense_of_a_stream_is_refused() {
    let daemon = Daemon::start().await;
    let accept = "Accept: text/event-stream\r\n";
    for (path, headers) in [
        ("/v1/events?limit=3", accept.to_owned()),
        ("/v1/events?before=3", accept.to_owned()),
        ("/v1/events", format!("{accept}Last-Event-ID: yesterday\r\n")),
    ] {
        let answer = ask_with(&daemon.unix, "GET", path, &headers, b"").await;
        assert_eq!(answer.problem(), (400, "bad-parameter".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn streams_are_bounded_and_leave_the_rest_free() {
    let daemon = Daemon::with_limits(Limits {
        streams: 2,
        ..Limits::default()
    })
    .await;
    let one = Stream::open(&daemon.tcp, "/v1/events", "").await;
    let _two = Stream::open(&daemon.tcp, "/v1/events", "").await;
    let third = ask_with(&daemon.tcp, "GET", "/v1/events", "Accept: text/event-stream\r\n", b"").await;
    assert_eq!(third.problem(), (503, "too-many-streams".to_owned()));
    assert_eq!(ask(&daemon.tcp, "GET", "/v1/events").await.status, 200);
    // Each listener has its own.
    let _other = Stream::open(&daemon.unix, "/v1/events", "").await;
    drop(one);
    let freed = async {
        while !is_let_in(&daemon.tcp).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, freed)
        .await
        .expect("a place becomes free");
}

/// Whether a stream can be opened now.
async fn is_let_in(place: &Listen) -> bool {
    let mut wire = connect(place).await;
    let request = "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    wire.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    wire.read_exact(&mut status).await.unwrap();
    &status == b"HTTP/1.1 200"
}

#[tokio::test]
async fn a_stream_ends_with_the_daemon() {
    let mut daemon = Daemon::start().await;
    let mut stream = Stream::open(&daemon.unix, "/v1/events", "").await;
    daemon.stopped().await;
    assert!(!stream.read_until("nothing of the kind").await);
    // The last chunk: it ended in due form and did not break off.
    assert!(stream.text.ends_with("0\r\n\r\n"), "{:?}", stream.text);
}
