//! One check of one instance.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::Duration;

use futures_util::StreamExt;
use orchestrator_host::{ContainerRef, DialPlan, DialStream, ExecRequest, Host, HostError, Socket};
use orchestrator_model::{Container, Instance, InstanceId};
use orchestrator_runtime::causes::with_causes;
use orchestrator_service::Probe;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// The most that is read of an answer: its status line is at the beginning.
const MOST: usize = 1024;

/// What is checked, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// It takes a connection.
    Tcp { instance: InstanceId, socket: Socket },
    /// It answers a request for this path.
    Http {
        instance: InstanceId,
        socket: Socket,
        address: Ipv6Addr,
        port: u16,
        path: String,
    },
    /// The command succeeds in this container.
    Exec {
        container: ContainerRef,
        command: Vec<String>,
    },
}

impl Target {
    /// `None` when the instance has no address, or no such port or container.
    pub(super) fn of(instance: &Instance, probe: &Probe, port: Option<u16>) -> Option<Self> {
        if let Probe::Exec { command } = probe {
            let main: &Container = instance.containers.first()?;
            let container = ContainerRef {
                instance: instance.id,
                name: main.name.parse().unwrap_or_default(),
                engine: main.engine.clone(),
                reference: main.reference.clone(),
            };
            let command = command.clone();
            return Some(Self::Exec { container, command });
        }
        let (address, port) = (instance.address()?, port?);
        let bridge = instance.attachment()?.bridge.clone();
        let socket = Socket::Tcp { bridge, address, port };
        let instance = instance.id;
        Some(match probe {
            Probe::Http { path, .. } => Self::Http {
                instance,
                socket,
                address,
                port,
                path: path.clone(),
            },
            Probe::Tcp { .. } | Probe::Exec { .. } => Self::Tcp { instance, socket },
        })
    }

    /// Checks once, within this time. `None` when the engine has no place for one more command: that says nothing about the
    /// instance.
    pub(super) async fn check(&self, host: &dyn Host, within: Duration) -> Option<Result<(), String>> {
        let checked = timeout(within, self.ask(host, within)).await;
        checked.unwrap_or_else(|_| Some(Err(format!("no answer within {} ms", within.as_millis()))))
    }

    async fn ask(&self, host: &dyn Host, within: Duration) -> Option<Result<(), String>> {
        Some(match self {
            Self::Tcp { instance, socket } => dial(host, *instance, socket, within).await.map(drop),
            Self::Http {
                instance,
                socket,
                address,
                port,
                path,
            } => {
                let mut stream = match dial(host, *instance, socket, within).await {
                    Ok(stream) => stream,
                    Err(reason) => return Some(Err(reason)),
                };
                let request = format!(
                    "GET {path} HTTP/1.1\r\nHost: [{address}]:{port}\r\nUser-Agent: orchestrator\r\nAccept: */*\r\n\
                     Connection: close\r\n\r\n"
                );
                get(&mut *stream, &request).await
            }
            Self::Exec { container, command } => return exec(host, container, command).await,
        })
    }
}

async fn dial(
    host: &dyn Host,
    id: InstanceId,
    socket: &Socket,
    within: Duration,
) -> Result<Box<dyn DialStream>, String> {
    let plan = DialPlan {
        id,
        socket: socket.clone(),
        within,
    };
    host.dial(&plan).await.map_err(|fault| with_causes(&fault))
}

/// Sends a request, and judges the status of the answer.
async fn get(stream: &mut dyn DialStream, request: &str) -> Result<(), String> {
    let lost = |error: std::io::Error| format!("the connection was lost: {error}");
    stream.write_all(request.as_bytes()).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    let mut answer = Vec::with_capacity(MOST);
    while answer.len() < MOST && !answer.contains(&b'\n') {
        let mut piece = [0; 256];
        match stream.read(&mut piece).await.map_err(lost)? {
            0 => break,
            read => answer.extend_from_slice(&piece[..read]),
        }
    }
    judge(&answer)
}

/// Whether an answer begins with a status line of a success (RFC 9112 §4).
fn judge(answer: &[u8]) -> Result<(), String> {
    let line = answer.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_ascii_whitespace();
    let is_http = words.next().is_some_and(|version| version.starts_with("HTTP/1."));
    let status = words.next().filter(|_| is_http).and_then(|status| status.parse().ok());
    match status {
        Some(200..=399) => Ok(()),
        Some(status @ 0..=999) => Err(format!("it answered with status {status}")),
        Some(_) | None => Err("it did not answer in HTTP".to_owned()),
    }
}

/// Runs a command, and judges its exit code. `None` when it cannot be run for want of a place.
async fn exec(host: &dyn Host, container: &ContainerRef, command: &[String]) -> Option<Result<(), String>> {
    let request = ExecRequest {
        command: command.to_vec(),
        environment: BTreeMap::new(),
        user: None,
        directory: None,
        terminal: None,
    };
    let mut session = match host.exec(container, &request).await {
        Ok(session) => session,
        Err(fault) => return not_run(&fault),
    };
    // It ends when the command does. What it says is nobody's.
    while session.output.next().await.is_some() {}
    Some(match session.control.exit_code().await {
        Ok(Some(0)) => Ok(()),
        Ok(Some(code)) => Err(format!("the command ended with exit code {code}")),
        Ok(None) => Err("the command did not end".to_owned()),
        Err(fault) => Err(with_causes(&fault)),
    })
}

/// What a command that the host did not run says about the instance.
fn not_run(fault: &HostError) -> Option<Result<(), String>> {
    match fault.code() {
        "engine-busy" => None,
        _ => Some(Err(with_causes(fault))),
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_host::{Cause, EngineError, Id};

    use super::*;

    #[test]
    fn a_command_that_has_no_place_says_nothing_about_its_instance() {
        let (verb, subject, reason) = ("run a command in", "web".to_owned(), "2 commands run in it".to_owned());
        let of = |error: EngineError| {
            not_run(&HostError::Exec {
                instance: Id::from_bytes([1; 6]),
                source: Cause::Engine(error),
            })
        };
        let busy = EngineError::Busy {
            verb,
            subject: subject.clone(),
            reason: reason.clone(),
        };
        assert!(busy.to_string().contains("try again"), "{busy}");
        assert_eq!(of(busy), None);
        let failed = of(EngineError::Failed { verb, subject, reason });
        assert!(
            matches!(&failed, Some(Err(text)) if text.contains("2 commands")),
            "{failed:?}"
        );
    }

    #[test]
    fn only_a_status_of_a_success_passes() {
        for answer in ["HTTP/1.1 200 OK\r\n", "HTTP/1.0 204\r\n", "HTTP/1.1 399 x\r\nA: b\r\n"] {
            assert_eq!(judge(answer.as_bytes()), Ok(()), "{answer}");
        }
        for answer in [
            "",
            "HTTP/1.1 404 Not Found\r\n",
            "HTTP/1.1 500\r\n",
            "SSH-2.0 200",
            "HTTP/1.1 abc",
            "200 OK",
        ] {
            assert!(judge(answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
