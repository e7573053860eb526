//! Converts errors of the client library into errors of the engine, in plain words.

use std::error::Error;
use std::time::Duration;

use orchestrator_plugin::EngineError;

use crate::connect::Host;

/// The error type of the client library.
pub(crate) use bollard::errors::Error as ApiError;

/// HTTP status: there is no such thing.
pub(crate) const NOT_FOUND: u16 = 404;

/// HTTP status: it conflicts with something that exists or is under way.
pub(crate) const CONFLICT: u16 = 409;

/// The status of the engine's answer, when it did answer.
pub(crate) fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Converts an error of `verb` on `subject` at `engine`.
pub(crate) fn explain(
    engine: &Host,
    limit: Duration,
    verb: &'static str,
    subject: &str,
    error: ApiError,
) -> EngineError {
    let subject = subject.to_owned();
    match error {
        ApiError::RequestTimeoutError => EngineError::Timeout {
            engine: engine.to_string(),
            verb,
            seconds: limit.as_secs(),
        },
        ApiError::SocketNotFoundError(path) => unavailable(engine, format!("there is no socket {path}").into()),
        ApiError::IOError { .. } | ApiError::HyperLegacyError { .. } | ApiError::HyperResponseError { .. } => {
            unavailable(engine, root(&error).to_string().into())
        }
        ApiError::DockerResponseServerError { status_code, message } => match status_code {
            NOT_FOUND | CONFLICT => EngineError::Failed {
                verb,
                subject,
                reason: message,
            },
            400..500 => EngineError::Refused {
                verb,
                subject,
                reason: message,
            },
            _ => EngineError::Failed {
                verb,
                subject,
                reason: message,
            },
        },
        other => EngineError::Failed {
            verb,
            subject,
            reason: root(&other).to_string(),
        },
    }
}

/// The error of an engine that does not answer.
pub(crate) fn unavailable(engine: &Host, source: Box<dyn Error + Send + Sync>) -> EngineError {
    EngineError::Unavailable {
        engine: engine.to_string(),
        source,
    }
}

/// The innermost cause: what wraps it here only names the layers of the client library.
fn root(error: &ApiError) -> &dyn Error {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

#[cfg(test)]
mod tests {
    use super::*;
    use orchestrator_plugin::Remedy;

    fn explained(error: ApiError) -> EngineError {
        explain(
            &Host::default(),
            Duration::from_secs(30),
            "create",
            "orchestrator-3f9a2c01d2e4",
            error,
        )
    }

    fn answered(status_code: u16) -> EngineError {
        explained(ApiError::DockerResponseServerError {
            status_code,
            message: "because".to_owned(),
        })
    }

    #[test]
    fn statuses_tell_who_can_help() {
        for (status, remedy) in [
            (400, Remedy::Operator),
            (403, Remedy::Operator),
            (404, Remedy::Retry),
            (409, Remedy::Retry),
            (500, Remedy::Retry),
        ] {
            assert_eq!(answered(status).remedy(), remedy, "{status}");
        }
        assert_eq!(
            answered(400).to_string(),
            "engine refused to create orchestrator-3f9a2c01d2e4: because"
        );
    }

    #[test]
    fn no_socket_and_no_listener_are_an_engine_that_is_down() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        for error in [
            ApiError::SocketNotFoundError("/x".to_owned()),
            ApiError::IOError { err: refused },
        ] {
            assert_eq!(explained(error).remedy(), Remedy::Engine);
        }
    }

    #[test]
    fn the_limit_is_told_in_seconds() {
        assert_eq!(
            explained(ApiError::RequestTimeoutError).to_string(),
            "engine unix:///run/docker.sock did not create within 30 s"
        );
    }
}
