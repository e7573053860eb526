//! A container whose network is wired while it starts.

use std::path::PathBuf;
use std::sync::Arc;

use orchestrator_plugin::EngineError;
use tokio::sync::oneshot;

use crate::connect::Connection;
use crate::lines::Lines;
use crate::protocol::{EnsureRequest, Ensuring, FoundAnswer};

const VERB: &str = "start";

/// Asks for a container that runs, and sends on where its network namespace is as soon as the helper says so.
pub(crate) async fn ensure(
    connection: Arc<Connection>,
    question: EnsureRequest,
    namespace: oneshot::Sender<PathBuf>,
) -> Result<FoundAnswer, EngineError> {
    let mut namespace = Some(namespace);
    let body = connection.stream(VERB, "/v1/ensure/early", &question).await?;
    let mut lines = Lines::new(connection.clone(), VERB, body);
    let answered = async {
        loop {
            match lines.next().await? {
                Ensuring::Namespace(path) => {
                    if let Some(namespace) = namespace.take() {
                        // Nobody may wait for it any more.
                        let _ = namespace.send(path);
                    }
                }
                Ensuring::Found(found) => return Ok(found),
                Ensuring::Fault(fault) => return Err(fault.into_error(&connection.place())),
            }
        }
    };
    connection.within(VERB, answered).await
}
