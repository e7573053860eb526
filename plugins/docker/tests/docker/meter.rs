//! A meter before an engine: counts the requests that go through it, and how many of them had to wait for another.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use orchestrator_lab::Engine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Barrier;

/// Stands between a plugin and its engine, on a socket of its own.
pub(crate) struct Meter {
    path: PathBuf,
    log: Arc<Mutex<Log>>,
}

/// The requests that passed.
#[derive(Default)]
struct Log {
    /// Method and path of each request, in the order of their arrival.
    requests: Vec<String>,
    /// The longest row of requests of which each came after the answer to the one before.
    answered: usize,
}

impl Meter {
    /// Passes everything on. The first requests whose first line holds one of `together` wait until there is one of
    /// each: whoever sends them one after the other waits for ever.
    pub(crate) fn before(engine: &Engine, together: &'static [&'static str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orchestrator-meter-{}-{count}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("a socket in the temporary directory");
        let (socket, log) = (engine.socket().to_owned(), Arc::<Mutex<Log>>::default());
        let meeting = Arc::new(Barrier::new(together.len().max(1)));
        tokio::spawn({
            let log = log.clone();
            async move {
                while let Ok((caller, _)) = listener.accept().await {
                    let (socket, log, meeting) = (socket.clone(), log.clone(), meeting.clone());
                    tokio::spawn(forward(caller, socket, log, together, meeting));
                }
            }
        });
        Self { path, log }
    }

    /// Where a plugin is to look for the engine.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// The requests since the last call, and the present length of the row.
    pub(crate) fn read(&self) -> (Vec<String>, usize) {
        let mut log = self.log.lock().unwrap();
        (std::mem::take(&mut log.requests), log.answered)
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Passes one connection on. The plugin makes one for each request.
async fn forward(
    mut caller: UnixStream,
    socket: PathBuf,
    log: Arc<Mutex<Log>>,
    together: &[&str],
    meeting: Arc<Barrier>,
) {
    let mut head = vec![0; 64 << 10];
    let Ok(length @ 1..) = caller.read(&mut head).await else {
        return;
    };
    let text = String::from_utf8_lossy(&head[..length]);
    let line = text.lines().next().unwrap_or_default().to_owned();
    let place = {
        let mut log = log.lock().unwrap();
        log.requests.push(line.trim_end_matches(" HTTP/1.1").to_owned());
        log.answered + 1
    };
    if place == 1 && together.iter().any(|what| line.contains(what)) {
        meeting.wait().await;
    }
    let mut engine = UnixStream::connect(socket).await.expect("the engine listens");
    engine.write_all(&head[..length]).await.expect("the engine reads");
    let (mut from_engine, mut to_engine) = engine.split();
    let (mut from_caller, mut to_caller) = caller.split();
    let answer = async {
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = from_engine.read(&mut chunk).await {
            // Before the caller has it: whatever it asks next comes after this answer.
            {
                let mut log = log.lock().unwrap();
                log.answered = log.answered.max(place);
            }
            if to_caller.write_all(&chunk[..count]).await.is_err() {
                break;
            }
        }
    };
    let question = async {
        let _ = tokio::io::copy(&mut from_caller, &mut to_engine).await;
    };
    tokio::select! {
        () = answer => {}
        () = question => {}
    }
}
