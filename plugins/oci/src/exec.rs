//! Further commands in a running container: frames on a connection of their own.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use orchestrator_plugin::{Container, EngineError, ExecControl, ExecRequest, ExecSession, Output, TerminalSize};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::mpsc;

use crate::OciEngine;
use crate::protocol::{Decoder, ExecOf, FRAME_LIMIT, Frame};

/// Pieces of output that wait for their reader. The command waits when there are more.
const WAITING: usize = 32;

type Connection = TokioIo<Upgraded>;

/// A command that was started.
struct Command {
    name: String,
    /// The exit code, once it has ended.
    code: Mutex<Option<i64>>,
    /// What is sent to it besides its input.
    frames: mpsc::Sender<Frame>,
}

impl OciEngine {
    /// Starts a command in the container.
    pub(crate) async fn start_command(
        &self,
        container: &Container,
        request: &ExecRequest,
    ) -> Result<ExecSession, EngineError> {
        let question = ExecOf {
            of: self.target(container),
            command: request.into(),
        };
        let upgraded = self
            .connection
            .upgrade("run a command in", "/v1/exec", &question)
            .await?;
        let (read, write) = split(TokioIo::new(upgraded));
        let (input, keyboard) = duplex(FRAME_LIMIT);
        let (frames, queued) = mpsc::channel(WAITING);
        let (pieces, output) = mpsc::channel(WAITING);
        let command = Arc::new(Command {
            name: container.key.engine_name(),
            code: Mutex::new(None),
            frames: frames.clone(),
        });
        tokio::spawn(read_input(keyboard, frames));
        tokio::spawn(send(queued, write));
        tokio::spawn(receive(read, pieces, command.clone()));
        let output = stream::unfold(output, |mut output| async move { Some((output.recv().await?, output)) });
        Ok(ExecSession {
            input: Box::pin(input),
            output: Box::pin(output),
            control: command,
        })
    }
}

/// Makes frames of what the caller writes.
async fn read_input(mut keyboard: DuplexStream, frames: mpsc::Sender<Frame>) {
    let mut buffer = vec![0; FRAME_LIMIT];
    while let Ok(length @ 1..) = keyboard.read(&mut buffer).await {
        let piece = Bytes::copy_from_slice(&buffer[..length]);
        if frames.send(Frame::Input(piece)).await.is_err() {
            return;
        }
    }
    let _ = frames.send(Frame::InputEnd).await;
}

async fn send(mut queued: mpsc::Receiver<Frame>, mut write: WriteHalf<Connection>) {
    while let Some(frame) = queued.recv().await {
        if write.write_all(&frame.encode()).await.is_err() || write.flush().await.is_err() {
            return;
        }
    }
    let _ = write.shutdown().await;
}

/// Hands the output on until the command has ended.
async fn receive(
    mut read: ReadHalf<Connection>,
    pieces: mpsc::Sender<Result<Output, EngineError>>,
    command: Arc<Command>,
) {
    let (mut decoder, mut buffer) = (Decoder::default(), vec![0; FRAME_LIMIT]);
    let broken = |reason: String| EngineError::Failed {
        verb: "run a command in",
        subject: command.name.clone(),
        reason,
    };
    loop {
        let output = match decoder.take() {
            Ok(Some(Frame::Stdout(bytes))) => Output::Stdout(bytes),
            Ok(Some(Frame::Stderr(bytes))) => Output::Stderr(bytes),
            Ok(Some(Frame::Exit(code))) => {
                *command.code.lock().unwrap_or_else(PoisonError::into_inner) = Some(code);
                return;
            }
            Ok(Some(_)) => continue,
            Ok(None) => match read.read(&mut buffer).await {
                Ok(length @ 1..) => {
                    decoder.feed(&buffer[..length]);
                    continue;
                }
                Ok(0) => {
                    let ended = broken("the helper went away before the command ended".to_owned());
                    return drop(pieces.send(Err(ended)).await);
                }
                Err(error) => return drop(pieces.send(Err(broken(error.to_string()))).await),
            },
            Err(error) => return drop(pieces.send(Err(broken(error.to_string()))).await),
        };
        // Nobody may read any more, and the exit code counts all the same.
        let _ = pieces.send(Ok(output)).await;
    }
}

#[async_trait]
impl ExecControl for Command {
    async fn resize(&self, size: TerminalSize) -> Result<(), EngineError> {
        let sent = self.frames.send(Frame::Resize(size)).await;
        sent.map_err(|_| EngineError::NotRunning {
            verb: "resize a terminal of",
            subject: self.name.clone(),
        })
    }

    async fn exit_code(&self) -> Result<Option<i64>, EngineError> {
        Ok(*self.code.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
