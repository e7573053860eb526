//! One call of an executable: request, process, answer.

use std::sync::Arc;
use std::time::Duration;

use orchestrator_plugin::{ContainerKey, Creations, EngineError, Turn};
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::errors::{Doing, words};
use crate::process::{Output, Program, RunError};
use crate::protocol::{Answer, Call, Request};

/// Executables of one kind of call that run at the same time, but for those that start containers.
const AT_ONCE: usize = 16;

/// Runs the executable for one engine.
#[derive(Debug)]
pub(crate) struct Caller {
    program: Program,
    limit: Duration,
    /// The executable, for people.
    shown: String,
    turns: Creations,
    starts: Arc<Semaphore>,
    /// Those that stop and remove wait for no other kind.
    ends: Arc<Semaphore>,
    questions: Arc<Semaphore>,
}

/// The engine and the site that call the executable.
#[derive(Debug, Clone)]
pub(crate) struct From<'a> {
    pub(crate) engine: &'a str,
    pub(crate) site: String,
    pub(crate) protocol: u32,
}

impl Caller {
    pub(crate) fn new(program: Program, limit: Duration, starts: usize) -> Self {
        Self {
            shown: program.path.display().to_string(),
            program,
            limit,
            turns: Creations::default(),
            starts: Arc::new(Semaphore::new(starts.max(1))),
            ends: Arc::new(Semaphore::new(AT_ONCE)),
            questions: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// A verb on something, for the messages of its errors.
    pub(crate) fn doing<'a>(&'a self, verb: &'static str, subject: &'a str) -> Doing<'a> {
        Doing {
            program: &self.shown,
            verb,
            subject,
            limit: self.limit,
        }
    }

    /// Waits for the turn to change a container, within the limit.
    pub(crate) async fn turn(&self, key: &ContainerKey, doing: &Doing<'_>) -> Result<Turn, EngineError> {
        let turn = timeout(self.limit, self.turns.turn(key)).await;
        turn.map_err(|_| doing.timed_out())
    }

    /// Runs the executable once. The turn, where there is one, is given back when the executable has ended, also when this
    /// is dropped before.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        from: From<'_>,
        call: Call,
        turn: Option<Turn>,
        doing: &Doing<'_>,
    ) -> Result<T, EngineError> {
        let image = image_of(&call);
        let permit = self.permit(&call).await;
        let request = Request {
            protocol: from.protocol,
            engine: from.engine.to_owned(),
            site: from.site,
            timeout_seconds: self.limit.as_secs(),
            call,
        };
        let input = serde_json::to_vec(&request).map_err(|fault| doing.failed(fault.to_string()))?;
        let output = self
            .run(input, (permit, turn))
            .await
            .map_err(|error| doing.not_run(error))?;
        read(&output, image.as_deref(), doing)
    }

    async fn permit(&self, call: &Call) -> Option<OwnedSemaphorePermit> {
        let gate = match call {
            Call::Add { .. } => &self.starts,
            Call::Stop { .. } | Call::Delete { .. } => &self.ends,
            _ => &self.questions,
        };
        // Never closed, so that there is always a permit to wait for.
        gate.clone().acquire_owned().await.ok()
    }

    /// Runs the executable in a task of its own, which sees it to its end, and holds on to `held` until then.
    async fn run(&self, input: Vec<u8>, held: impl Send + 'static) -> Result<Output, RunError> {
        let given_up = CancellationToken::new();
        let guard = given_up.clone().drop_guard();
        let (program, limit) = (self.program.clone(), self.limit);
        let running = tokio::spawn(async move {
            let output = program.run(input, limit, &given_up).await;
            drop(held);
            output
        });
        let output = running.await;
        guard.disarm();
        output.unwrap_or_else(|fault| Err(RunError::Unread(std::io::Error::other(fault))))
    }
}

/// The image that a call is about.
fn image_of(call: &Call) -> Option<String> {
    match call {
        Call::Add { spec, .. } => Some(spec.image.clone()),
        Call::CheckImage { image } => Some(image.clone()),
        _ => None,
    }
}

/// What an executable answered.
fn read<T: DeserializeOwned>(output: &Output, image: Option<&str>, doing: &Doing<'_>) -> Result<T, EngineError> {
    let said = words(&String::from_utf8_lossy(&output.stderr));
    let ended = match output.status.code() {
        Some(code) => format!("exit code {code}"),
        None => output.status.to_string(),
    };
    let also = match said.is_empty() {
        true => String::new(),
        false => format!("; it says: {said}"),
    };
    match serde_json::from_slice::<Answer<T>>(&output.stdout) {
        Ok(Answer { error: Some(fault), .. }) => Err(doing.answered(&fault, image)),
        Ok(Answer { result: Some(_), .. }) if !output.status.success() => Err(doing.failed(format!(
            "{} answered a result and ended with {ended}{also}",
            doing.program
        ))),
        Ok(Answer {
            result: Some(result), ..
        }) => {
            if !said.is_empty() {
                tracing::debug!(
                    executable = doing.program,
                    said,
                    "an executable wrote to its standard error"
                );
            }
            Ok(result)
        }
        Ok(_) => Err(doing.failed(format!(
            "{} answered neither a result nor an error{also}",
            doing.program
        ))),
        Err(fault) => Err(doing.failed(format!(
            "the answer of {} is not what the protocol says: {fault}; it ended with {ended}{also}",
            doing.program
        ))),
    }
}
