//! Further commands in a running container.

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
        let options = StartExecOptions {
            tty: request.terminal.is_some(),
            ..StartExecOptions::default()
        };
        let id = created.id.clone();
        let started = self
            .connection
            .ask(|docker| async move { docker.start_exec(&id, Some(options)).await })
            .await
            .map_err(explain)?;
        let StartExecResults::Attached { output, input } = started else {
            return Err(EngineError::Failed {
                verb: "run a command in",
                subject: name,
                reason: "the engine ran it without its input and output".to_owned(),
            });
        };
        let control = Command {
            connection: self.connection.clone(),
            name: name.clone(),
            id: created.id,
        };
        if let Some(size) = request.terminal {
            control.resize(size).await?;
        }
        let connection = self.connection.clone();
        let output = output.map(move |piece| match piece {
            Ok(piece) => Ok(output_of(piece)),
            Err(error) => Err(connection.explain("run a command in", &name, error)),
        });
        Ok(ExecSession {
            input,
            output: Box::pin(output),
            control: Arc::new(control),
        })
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
