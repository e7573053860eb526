//! Further commands in a running container.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::exec::{ResizeExecOptions, StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use futures_util::StreamExt;
use orchestrator_plugin::{
    Container, EngineError, ExecControl, ExecRequest, ExecSession, FoundState, Output, TerminalSize,
};

use crate::DockerEngine;
use crate::connect::Connection;
use crate::errors::ApiError;
use crate::terminal;

/// A command that was started, by the engine's id for it.
struct Command {
    connection: Arc<Connection>,
    /// The container, for people.
    name: String,
    id: String,
}

impl DockerEngine {
    /// Starts a command in the container.
    pub(crate) async fn start_command(
        &self,
        container: &Container,
        request: &ExecRequest,
    ) -> Result<ExecSession, EngineError> {
        let (name, reference) = self.running(container, "run a command in").await?;
        let config = config(request);
        let explain = |error| self.connection.explain("run a command in", &name, error);
        let created = self
            .connection
            .ask(|docker| async move { docker.create_exec(&reference, config).await })
            .await
            .map_err(explain)?;
        let control = Arc::new(Command {
            connection: self.connection.clone(),
            name,
            id: created.id,
        });
        match request.terminal {
            Some(size) => control.start_with_terminal(size).await,
            None => control.start_with_pipes().await,
        }
    }

    /// The engine's names for the container, which must run.
    pub(crate) async fn running(
        &self,
        container: &Container,
        verb: &'static str,
    ) -> Result<(String, String), EngineError> {
        let name = container.key.engine_name();
        match self.find_ours(container).await?.map(|ours| ours.found) {
            Some(found) if matches!(found.state, FoundState::Running(_)) => Ok((name, found.reference)),
            _ => Err(EngineError::NotRunning { verb, subject: name }),
        }
    }
}

impl Command {
    async fn start_with_pipes(self: Arc<Self>) -> Result<ExecSession, EngineError> {
        let id = &self.id;
        let started = self
            .connection
            .ask(|docker| async move { docker.start_exec(id, None::<StartExecOptions>).await })
            .await;
        let StartExecResults::Attached { output, input } = started.map_err(|error| self.explain(error))? else {
            return Err(self.explain(ApiError::IOError {
                err: io::Error::other("the engine ran it without its input and output"),
            }));
        };
        let of_it = self.clone();
        let output = output.map(move |piece| piece.map(output_of).map_err(|error| of_it.explain(error)));
        Ok(ExecSession {
            input,
            output: Box::pin(output),
            control: self,
        })
    }

    async fn start_with_terminal(self: Arc<Self>, size: TerminalSize) -> Result<ExecSession, EngineError> {
        let attach = terminal::attach(self.connection.socket(), &self.id);
        let attached = tokio::time::timeout(self.connection.timeout(), attach).await;
        let attached = attached.map_err(|_| self.explain(ApiError::RequestTimeoutError))?;
        let (output, input) = attached.map_err(|err| self.explain(ApiError::IOError { err }))?;
        self.resize(size).await?;
        let of_it = self.clone();
        let output = output.map(move |piece| match piece {
            Ok(piece) => Ok(Output::Stdout(piece)),
            Err(err) => Err(of_it.explain(ApiError::IOError { err })),
        });
        Ok(ExecSession {
            input: Box::pin(input),
            output: Box::pin(output),
            control: self,
        })
    }

    fn explain(&self, error: ApiError) -> EngineError {
        self.connection.explain("run a command in", &self.name, error)
    }
}

#[async_trait]
impl ExecControl for Command {
    async fn resize(&self, size: TerminalSize) -> Result<(), EngineError> {
        let options = ResizeExecOptions {
            height: size.rows,
            width: size.columns,
        };
        let resized = self
            .connection
            .ask(|docker| async move { docker.resize_exec(&self.id, options).await })
            .await;
        resized.map_err(|error| self.connection.explain("resize a terminal of", &self.name, error))
    }

    async fn exit_code(&self) -> Result<Option<i64>, EngineError> {
        let account = self
            .connection
            .ask(|docker| async move { docker.inspect_exec(&self.id).await })
            .await;
        let account = account.map_err(|error| self.connection.explain("inspect a command in", &self.name, error))?;
        Ok(account.exit_code.filter(|_| account.running != Some(true)))
    }
}

fn config(request: &ExecRequest) -> ExecConfig {
    let environment = request
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    ExecConfig {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(request.terminal.is_some()),
        env: Some(environment.collect()),
        cmd: Some(request.command.clone()),
        user: request.user.clone(),
        working_dir: request
            .directory
            .as_ref()
            .map(|path| path.to_string_lossy().into_owned()),
        ..ExecConfig::default()
    }
}

/// A piece of output without the client library's name for it.
pub(crate) fn output_of(piece: LogOutput) -> Output {
    match piece {
        LogOutput::StdErr { message } => Output::Stderr(message),
        LogOutput::StdOut { message } | LogOutput::StdIn { message } | LogOutput::Console { message } => {
            Output::Stdout(message)
        }
    }
}
