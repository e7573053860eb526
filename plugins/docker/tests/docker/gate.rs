//! A gate before an engine: lets a test hold back some requests while all others pass.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use orchestrator_lab::Engine;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, Semaphore};

/// Stands between a plugin and its engine, on a socket of its own.
pub(crate) struct Gate {
    path: PathBuf,
    /// Notified when a request that is held back has come.
    pub(crate) arrived: Arc<Notify>,
    /// Notified when the engine has done with a request that was held back.
    pub(crate) served: Arc<Notify>,
    /// A permit for each request that may pass.
    pub(crate) pass: Arc<Semaphore>,
}

impl Gate {
    /// Holds back the requests whose first line holds `what`.
    pub(crate) fn before(engine: &Engine, what: &'static str) -> Self {
        Self::holding(engine, move |line, _| line.contains(what))
    }

    /// Holds back the one request that comes after so many others.
    pub(crate) fn after(engine: &Engine, others: usize) -> Self {
        Self::holding(engine, move |_, place| place == others)
    }

    /// Holds back the requests that `holds` says, by their first line and by how many came before.
    fn holding(engine: &Engine, holds: impl Fn(&str, usize) -> bool + Send + Sync + 'static) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orchestrator-gate-{}-{count}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("a socket in the temporary directory");
        let gate = Self {
            path,
            arrived: Arc::default(),
            served: Arc::default(),
            pass: Arc::new(Semaphore::new(0)),
        };
        let socket = engine.socket().to_owned();
        let (arrived, served, pass) = (gate.arrived.clone(), gate.served.clone(), gate.pass.clone());
        let (holds, places) = (Arc::new(holds), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (socket, arrived, served, pass) = (socket.clone(), arrived.clone(), served.clone(), pass.clone());
                let (holds, places) = (holds.clone(), places.clone());
                tokio::spawn(async move {
                    let holds = |line: &str| holds(line, places.fetch_add(1, Ordering::Relaxed));
                    let held_back = forward(stream, socket, holds, &arrived, &pass).await;
                    if held_back {
                        served.notify_one();
                    }
                });
            }
        });
        gate
    }

    /// Where a plugin is to look for the engine.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.path.display())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Passes one connection on; whether it was held back.
async fn forward(
    mut caller: UnixStream,
    socket: PathBuf,
    holds: impl Fn(&str) -> bool,
    arrived: &Notify,
    pass: &Semaphore,
) -> bool {
    let mut head = vec![0; 64 << 10];
    let Ok(length @ 1..) = caller.read(&mut head).await else {
        return false;
    };
    let text = String::from_utf8_lossy(&head[..length]);
    let held_back = text.lines().next().is_some_and(holds);
    let mut engine = UnixStream::connect(socket).await.expect("the engine listens");
    if held_back {
        arrived.notify_one();
        pass.acquire().await.expect("never closed").forget();
    }
    engine.write_all(&head[..length]).await.expect("the engine reads");
    if held_back {
        // To the end of the engine's answer, also when nobody waits for it any more.
        let (mut from_engine, mut to_engine) = engine.split();
        let (mut from_caller, mut to_caller) = caller.split();
        let answer = async {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = from_engine.read(&mut chunk).await {
                let told = to_caller.write_all(&chunk[..count]).await;
                if told.is_err() || ends_answer(&chunk[..count]) {
                    break;
                }
            }
        };
        tokio::select! {
            () = answer => {}
            _ = async {
                let _ = tokio::io::copy(&mut from_caller, &mut to_engine).await;
                std::future::pending::<()>().await
            } => {}
        }
    } else {
        // Either side may hang up.
        let _ = copy_bidirectional(&mut caller, &mut engine).await;
    }
    held_back
}

/// Whether an answer ends here: with a JSON object or list, or without a body.
fn ends_answer(bytes: &[u8]) -> bool {
    let end = bytes.trim_ascii_end();
    end.ends_with(b"}") || end.ends_with(b"]") || bytes.ends_with(b"0\r\n\r\n") || bytes.starts_with(b"HTTP/1.1 204")
}
