//! Further commands in a container of the fake, and what it wrote.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use orchestrator_plugin::{
    Container, EngineError, ExecControl, ExecRequest, ExecSession, LogRequest, Output, OutputStream, TerminalSize,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, DuplexStream};
use tokio::sync::mpsc;

use crate::FakeEngine;
use crate::container::{FakeContainer, State};
use crate::engine::not_running;
use crate::program::said;
use crate::request::Verb;

/// Bytes of input that may wait, and pieces of output.
const BUFFER: usize = 64 << 10;
const PIECES: usize = 64;

/// A command that was started.
#[derive(Default)]
struct Command {
    state: Mutex<CommandState>,
}

#[derive(Default)]
struct CommandState {
    size: Option<TerminalSize>,
    code: Option<i64>,
}

impl Command {
    fn state(&self) -> std::sync::MutexGuard<'_, CommandState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ExecControl for Command {
    async fn resize(&self, size: TerminalSize) -> Result<(), EngineError> {
        let mut state = self.state();
        if state.size.is_none() || state.code.is_some() {
            return Err(not_running("resize a terminal of", "a command".to_owned()));
        }
        state.size = Some(size);
        Ok(())
    }

    async fn exit_code(&self) -> Result<Option<i64>, EngineError> {
        Ok(self.state().code)
    }
}

pub(crate) async fn start(
    engine: &FakeEngine,
    container: &Container,
    request: &ExecRequest,
) -> Result<ExecSession, EngineError> {
    let name = container.key.engine_name();
    let found = engine.about(Verb::Exec, container, move |_, found| {
        let running = found.filter(|found| matches!(found.state, State::Running { .. }));
        running.ok_or_else(|| not_running("run a command in", name))
    });
    let found = found.await?;
    let (input, read) = tokio::io::duplex(BUFFER);
    let (write, output) = mpsc::channel(PIECES);
    let control = Arc::new(Command::default());
    control.state().size = request.terminal;
    let (world, command, of_it) = (engine.world.clone(), request.command.clone(), control.clone());
    tokio::spawn(async move {
        let code = run(&world, &found, &command, read, &write, &of_it).await;
        // Before the end of the output: whoever reads to its end finds the code.
        of_it.state().code = Some(code);
        drop(write);
    });
    Ok(ExecSession {
        input: Box::pin(input),
        output: pieces(output),
        control,
    })
}

fn pieces(output: mpsc::Receiver<Output>) -> OutputStream {
    Box::pin(stream::unfold(output, |mut output| async {
        let piece = output.recv().await?;
        Some((Ok(piece), output))
    }))
}

/// Runs a command to its end, and returns its exit code.
async fn run(
    world: &crate::FakeWorld,
    container: &FakeContainer,
    command: &[String],
    mut input: DuplexStream,
    output: &mpsc::Sender<Output>,
    control: &Command,
) -> i64 {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let write = async |bytes: Vec<u8>| output.send(Output::Stdout(bytes.into())).await.is_ok();
    match words.as_slice() {
        ["exit", code] => code.parse().unwrap_or(127),
        ["say", out, err] => {
            for piece in said(out, err) {
                let _ = output.send(piece).await;
            }
            0
        }
        ["echo"] => {
            let mut chunk = vec![0; 4096];
            while let Ok(count @ 1..) = input.read(&mut chunk).await {
                if !write(chunk[..count].to_owned()).await {
                    break;
                }
            }
            0
        }
        ["size"] => {
            let mut lines = BufReader::new(input).lines();
            while let Ok(Some(_)) = lines.next_line().await {
                let size = control.state().size;
                let text = size.map_or_else(String::new, |size| format!("{} {}\n", size.rows, size.columns));
                if !write(text.into_bytes()).await {
                    break;
                }
            }
            0
        }
        ["show", path] => {
            let bytes = world.contents().file(container, Path::new(path));
            match bytes {
                Some(bytes) => {
                    write(bytes).await;
                    0
                }
                None => 1,
            }
        }
        ["exists", path] => i64::from(world.contents().file(container, Path::new(path)).is_none()),
        ["write", path, text] => {
            let text = text.as_bytes().to_owned();
            i64::from(!world.contents().write(&container.reference, Path::new(path), text))
        }
        _ => 127,
    }
}

/// The output of a container. If it is followed, it is read again after every change of the container.
pub(crate) async fn logs(
    engine: &FakeEngine,
    container: &Container,
    request: &LogRequest,
) -> Result<OutputStream, EngineError> {
    let mut events = engine.world.events.subscribe();
    let name = container.key.engine_name();
    let found = engine.about(Verb::Read, container, move |_, found| {
        found.ok_or_else(|| not_running("read the log of", name))
    });
    let found = found.await?;
    let skipped = match request.tail {
        Some(lines) => found.log.len().saturating_sub(lines as usize),
        None => 0,
    };
    let (world, reference) = (engine.world.clone(), found.reference);
    let (follow, times) = (request.follow, request.times);
    let (write, output) = mpsc::channel(PIECES);
    tokio::spawn(async move {
        let mut next = skipped;
        loop {
            let (new, goes_on) = match world.contents().by_reference(&reference) {
                Some(container) => (container.log[next..].to_owned(), container.is_alive()),
                None => (Vec::new(), false),
            };
            next += new.len();
            for piece in new {
                let piece = match times {
                    true => dated(piece),
                    false => piece,
                };
                if write.send(piece).await.is_err() {
                    return;
                }
            }
            if !(follow && goes_on) {
                return;
            }
            tokio::select! {
                () = write.closed() => return,
                _ = events.recv() => {}
            }
        }
    });
    Ok(pieces(output).boxed())
}

/// A piece that begins with a time. The fake writes whole lines, all at the same moment.
fn dated(piece: Output) -> Output {
    let dated = |bytes: &Bytes| Bytes::from([b"2023-11-14T22:13:20.000000000Z ", bytes.as_ref()].concat());
    match piece {
        Output::Stdout(bytes) => Output::Stdout(dated(&bytes)),
        Output::Stderr(bytes) => Output::Stderr(dated(&bytes)),
    }
}

/// A tar archive of one file. The fake knows no more of tar than the conformance suite needs.
pub(crate) fn archive(path: &Path, bytes: &[u8]) -> Vec<u8> {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let mut header = [0; 512];
    header[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(bytes);
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}

/// The files of a tar archive, by their names in it.
pub(crate) fn unpack(archive: &[u8]) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut rest = archive;
    while let Some((header, after)) = rest.split_at_checked(512) {
        let name: Vec<u8> = header[..100].iter().copied().take_while(|byte| *byte != 0).collect();
        let digits: String = header[124..135].iter().map(|byte| char::from(*byte)).collect();
        let Ok(length) = usize::from_str_radix(digits.trim_matches(['\0', ' ']), 8) else {
            break;
        };
        let Some((content, after)) = after.split_at_checked(length) else {
            break;
        };
        if header[156] == b'0' {
            let name = String::from_utf8_lossy(&name).into_owned();
            files.push((PathBuf::from(name), Bytes::copy_from_slice(content).to_vec()));
        }
        let padding = length.next_multiple_of(512) - length;
        rest = after.get(padding..).unwrap_or_default();
    }
    files
}
