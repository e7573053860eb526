//! The output of a container.

use std::time::{SystemTime, UNIX_EPOCH};

use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use orchestrator_plugin::{Container, EngineError, LogRequest, OutputStream};

use crate::DockerEngine;
use crate::exec::output_of;

impl DockerEngine {
    /// The output of the container, from all its starts.
    pub(crate) async fn logs_of(
        &self,
        container: &Container,
        request: &LogRequest,
    ) -> Result<OutputStream, EngineError> {
        let (name, reference) = self.existing(container, "read the log of").await?;
        let tail = request.tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string());
        let options = LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .follow(request.follow)
            .timestamps(request.times)
            .since(request.since.map_or(0, seconds))
            .tail(&tail)
            .build();
        let connection = self.connection.clone();
        let docker = connection
            .connect()
            .map_err(|error| connection.explain("read the log of", &name, error))?;
        let pieces = docker.logs(&reference, Some(options));
        Ok(Box::pin(pieces.map(move |piece| match piece {
            Ok(piece) => Ok(output_of(piece)),
            Err(error) => Err(connection.explain("read the log of", &name, error)),
        })))
    }
}

/// The moment in whole seconds, as the engine's API counts them.
fn seconds(moment: SystemTime) -> i32 {
    let seconds = moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i32::try_from(seconds).unwrap_or(i32::MAX)
}
