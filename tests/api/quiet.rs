//! What strangers can make the daemon write into its log.

use std::io;
use std::sync::{Arc, Mutex};

use orchestrator::api::Limits;
use tracing_subscriber::fmt::MakeWriter;

use crate::daemon::Daemon;
use crate::http::{ask, ask_with};

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        let text = self.0.lock().expect("the log").clone();
        String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn refused_streams_do_not_fill_the_log() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let daemon = Daemon::with_limits(Limits {
        streams: 0,
        ..Limits::default()
    })
    .await;
    for _ in 0..200 {
        let refused = ask_with(&daemon.tcp, "GET", "/v1/events", "Accept: text/event-stream\r\n", b"").await;
        assert_eq!(refused.problem(), (503, "too-many-streams".to_owned()));
    }
    // Another kind is not drowned by the first.
    daemon.stores.send_replace(None);
    assert_eq!(ask(&daemon.tcp, "GET", "/v1/clients").await.status, 503);
    let lines = log.lines();
    let of = |code: &str| lines.iter().filter(|line| line.contains(code)).count();
    // A second line of a kind may come after a minute, on a machine that is that slow.
    assert!((1..=3).contains(&of("too-many-streams")), "{} lines", lines.len());
    assert!((1..=3).contains(&of("store-away")), "{lines:?}");
    let counted = ask(&daemon.unix, "GET", "/metrics").await;
    assert!(
        counted
            .body
            .contains("api_refusals_total{code=\"too-many-streams\"} 200"),
        "{}",
        counted.body
    );
}
