//! Fresh threads: the only threads that ever enter another namespace.
//!
//! Each thread is made for one piece of work and ends with it. Threads of the caller's runtime and the process itself
//! never change their namespace, and nothing is forked. If the kernel takes long, only the caller of that work waits.

use std::future::Future;
use std::thread;

use rtnetlink::Handle;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::namespace::Namespace;
use crate::{LIMIT, NetworkError, connection};

/// Does something on a fresh thread in a namespace.
pub(crate) async fn run<T, W>(namespace: &Namespace, work: W) -> Result<T, NetworkError>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T, NetworkError> + Send + 'static,
{
    let namespace = namespace.clone();
    spawn(move |report| {
        // Nobody waits for the report any more if the caller was dropped.
        let _ = report.send(namespace.enter().and_then(|()| work()));
    })
    .await
}

/// Does something with netlink on a fresh thread that starts in a namespace, with a runtime to itself.
///
/// When the caller is dropped, the work is dropped at its next await.
pub(crate) async fn run_netlink<T, W, F>(namespace: &Namespace, work: W) -> Result<T, NetworkError>
where
    T: Send + 'static,
    W: FnOnce(Handle) -> F + Send + 'static,
    F: Future<Output = Result<T, NetworkError>>,
{
    let namespace = namespace.clone();
    spawn(move |mut report| {
        let outcome = namespace.enter().and_then(|()| {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(NetworkError::Open)?.block_on(async {
                tokio::select! {
                    outcome = async { work(connection::connect()?).await } => outcome.map(Some),
                    () = report.closed() => Ok(None),
                }
            })
        });
        if let Some(outcome) = outcome.transpose() {
            let _ = report.send(outcome);
        }
    })
    .await
}

/// Starts a thread and waits for its report, no longer than [`LIMIT`].
async fn spawn<T, B>(body: B) -> Result<T, NetworkError>
where
    T: Send + 'static,
    B: FnOnce(oneshot::Sender<Result<T, NetworkError>>) + Send + 'static,
{
    let doing = || "working in a network namespace".to_owned();
    let (report, outcome) = oneshot::channel();
    let thread = thread::Builder::new().name("netns".into());
    thread.spawn(move || body(report)).map_err(NetworkError::Open)?;
    match timeout(LIMIT, outcome).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_ended)) => Err(NetworkError::Closed { doing: doing() }),
        Err(_elapsed) => Err(NetworkError::TimedOut {
            doing: doing(),
            limit: LIMIT,
        }),
    }
}
