//! What is at hand where a line is typed: files, a person who answers, the terminal.

mod files;

use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use orchestrator_api_types::TerminalSize;
use orchestrator_verbs::{Input, Local, LocalFile, NewFile, Terminal, Typed, Typing};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::ends::restore_terminal_on;

/// The largest file that is uploaded, in bytes.
const LARGEST_FILE: u64 = 64 << 20;

/// Bytes of input that are read at once.
const PIECE: usize = 16 << 10;

/// Pieces of input that wait to be sent.
const WAITING: usize = 16;

/// The longest answer to a question, in bytes.
const LONGEST_ANSWER: usize = 64;

/// The machine and the terminal of this process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here;

#[async_trait]
impl Local for Here {
    async fn file(&self, name: &str) -> io::Result<LocalFile> {
        let path = Path::new(name);
        let about = tokio::fs::metadata(path).await?;
        if !about.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
        }
        if about.len() > LARGEST_FILE {
            let text = format!("it has {} bytes; at most {LARGEST_FILE} are uploaded", about.len());
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        Ok(LocalFile {
            content: tokio::fs::read(path).await?.into(),
            executable: about.permissions().mode() & 0o111 != 0,
        })
    }

    async fn open(&self, name: &str) -> io::Result<Input> {
        files::open(name).await
    }

    async fn create(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(files::Part::new(Path::new(name))?))
    }

    async fn secret(&self, prompt: &str, longest: usize) -> io::Result<Vec<u8>> {
        let _hidden = match io::stdin().is_terminal() {
            true => {
                // A signal that ends the program here makes the terminal show again what is typed.
                let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
                let _ = restore_terminal_on(&signals);
                eprint!("{}", orchestrator_verbs::printable::printable(prompt));
                let _ = io::stderr().flush();
                Hidden::new()
            }
            false => None,
        };
        typed_line(longest).await
    }

    async fn confirm(&self, question: &str) -> Option<bool> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        eprint!("{} [y/N] ", orchestrator_verbs::printable::printable(question));
        // Where it cannot be asked, nobody says yes.
        io::stderr().flush().ok()?;
        let answer = typed_line(LONGEST_ANSWER).await.ok()?;
        let answer = String::from_utf8_lossy(&answer);
        if !answer.ends_with('\n') {
            // Somebody typed Ctrl-D.
            eprintln!();
        }
        Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    fn terminal(&self) -> io::Result<Terminal> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            let text = "standard input or output is no terminal; leave -it out";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        // A process that is ended here would leave the terminal as no shell can use it.
        restore_terminal_on(&[
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::quit(),
            SignalKind::interrupt(),
        ])?;
        let resized = signal(SignalKind::window_change())?;
        let raw = Raw::new()?;
        let (keys, reading) = read_input()?;
        let typing = stream::unfold((keys, resized), |(mut keys, mut resized)| async move {
            let typed = tokio::select! {
                bytes = keys.recv() => Typed::Bytes(bytes?),
                _ = resized.recv() => Typed::Size(size()),
            };
            Some((typed, (keys, resized)))
        });
        Ok(Terminal {
            size: size(),
            typing: Box::pin(typing),
            guard: Box::new((reading, raw)),
        })
    }

    fn input(&self) -> io::Result<Typing> {
        let (bytes, reading) = read_input()?;
        let typing = stream::unfold((bytes, reading), |(mut bytes, reading)| async move {
            let piece = bytes.recv().await?;
            Some((Typed::Bytes(piece), (bytes, reading)))
        });
        Ok(Box::pin(typing))
    }
}

/// Reads a line of standard input with its end, or as much as this of it. No key is taken once it is dropped.
async fn typed_line(longest: usize) -> io::Result<Vec<u8>> {
    let (mut pieces, _reading) = read_input()?;
    let mut line = Vec::new();
    while let Some(piece) = pieces.recv().await {
        line.extend_from_slice(&piece);
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            line.truncate(end + 1);
            break;
        }
        if line.len() > longest {
            break;
        }
    }
    line.truncate(longest);
    Ok(line)
}

/// The size of the terminal; that of a classic one if it does not say.
fn size() -> TerminalSize {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => TerminalSize {
            columns: size.ws_col,
            rows: size.ws_row,
        },
        _ => TerminalSize { columns: 80, rows: 24 },
    }
}

/// A terminal that gives every key as it is, until this is dropped.
struct Raw(Termios);

impl Raw {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(Termios);

impl Hidden {
    fn new() -> Option<Self> {
        let input = io::stdin();
        let before = tcgetattr(&input).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&input, OptionalActions::Drain, &silent).ok()?;
        Some(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
        eprintln!();
    }
}

/// Ends the reading of standard input when it is dropped, so that nobody else's keys are taken.
struct Reading {
    _wake: UnixStream,
}

/// Reads standard input on a thread of its own: a read of a terminal or a pipe blocks.
fn read_input() -> io::Result<(mpsc::Receiver<Bytes>, Reading)> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let (wake, woken) = UnixStream::pair()?;
    let (sender, receiver) = mpsc::channel(WAITING);
    std::thread::Builder::new()
        .name("standard input".to_owned())
        .spawn(move || read_until_woken(&input, &woken, &sender))?;
    Ok((receiver, Reading { _wake: wake }))
}

fn read_until_woken(input: &OwnedFd, woken: &UnixStream, sender: &mpsc::Sender<Bytes>) {
    let mut buffer = vec![0; PIECE];
    loop {
        let mut ready = [PollFd::new(input, PollFlags::IN), PollFd::new(woken, PollFlags::IN)];
        match poll(&mut ready, None) {
            Ok(_) if !ready[1].revents().is_empty() => return,
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
        }
        match rustix::io::read(input, &mut buffer) {
            Ok(0) => return,
            Ok(read) => {
                let piece = Bytes::copy_from_slice(&buffer[..read]);
                if sender.blocking_send(piece).is_err() {
                    return;
                }
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(_) => return,
        }
    }
}
