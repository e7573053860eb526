//! A gate before the helper: lets a test hold back one connection while all others pass.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use async_trait::async_trait;
use orchestrator_conformance::Held;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, Semaphore};

/// Stands between a plugin and its helper, on a socket of its own.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Parts>);

struct Parts {
    path: PathBuf,
    arrived: Notify,
    served: Notify,
    pass: Semaphore,
}

impl Gate {
    /// Holds back the one request that comes after so many others.
    pub(crate) fn after(helper: PathBuf, others: usize) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orchestrator-oci-gate-{}-{count}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("a socket in the temporary directory");
        let gate = Self(Arc::new(Parts {
            path,
            arrived: Notify::new(),
            served: Notify::new(),
            pass: Semaphore::new(0),
        }));
        let (serving, places) = (gate.clone(), AtomicUsize::new(0));
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let is_held = places.fetch_add(1, Ordering::Relaxed) == others;
                tokio::spawn(forward(serving.clone(), caller, helper.clone(), is_held));
            }
        });
        gate
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path.clone()
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Passes one connection on. One that is held back is read to the end of its request first, and answered to the end
/// though its caller is gone.
async fn forward(gate: Gate, mut caller: UnixStream, helper: PathBuf, is_held: bool) {
    let mut helper = UnixStream::connect(helper).await.expect("the helper listens");
    if !is_held {
        // Either side may hang up.
        let _ = copy_bidirectional(&mut caller, &mut helper).await;
        return;
    }
    let request = read_request(&mut caller).await;
    gate.0.arrived.notify_one();
    gate.0.pass.acquire().await.expect("never closed").forget();
    helper.write_all(&request).await.expect("the helper reads");
    let (mut from_helper, mut to_helper) = helper.split();
    let (mut from_caller, mut to_caller) = caller.split();
    let answer = async {
        let (mut chunk, mut told) = ([0; 4096], Vec::new());
        while let Ok(count @ 1..) = from_helper.read(&mut chunk).await {
            told.extend_from_slice(&chunk[..count]);
            let _ = to_caller.write_all(&chunk[..count]).await;
            if is_whole(&told) {
                break;
            }
        }
    };
    tokio::select! {
        () = answer => {}
        _ = async {
            let _ = tokio::io::copy(&mut from_caller, &mut to_helper).await;
            std::future::pending::<()>().await
        } => {}
    }
    gate.0.served.notify_one();
}

async fn read_request(caller: &mut UnixStream) -> Vec<u8> {
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    while !is_whole(&request) {
        match caller.read(&mut chunk).await {
            Ok(count @ 1..) => request.extend_from_slice(&chunk[..count]),
            _ => break,
        }
    }
    request
}

/// Whether these bytes are a head and as much of a body as that says.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length
        .and_then(|length| length.trim().parse::<usize>().ok())
        .unwrap_or_default();
    bytes.len() >= end + 4 + length
}

#[async_trait]
impl Held for Gate {
    async fn arrived(&self) {
        self.0.arrived.notified().await;
    }

    fn open(&self) {
        self.0.pass.add_permits(1);
    }

    async fn served(&self) {
        self.0.served.notified().await;
    }
}
