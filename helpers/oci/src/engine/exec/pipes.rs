//! A command with pipes.

use std::io;
use std::process::Stdio;

use bytes::Bytes;
use orchestrator_plugin_oci::protocol::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver, Sender, pipe};
use tokio::sync::mpsc;

/// Bytes that are read at once.
const PIECE: usize = 32 << 10;

/// Our ends of the pipes of a command.
pub(super) struct Pipes {
    stdin: Sender,
    stdout: Receiver,
    stderr: Receiver,
}

impl Pipes {
    /// Makes pipes: our ends, and the command's standard input, output and error.
    pub(super) fn open() -> io::Result<(Self, [Stdio; 3])> {
        let (stdin, their_stdin) = pipe()?;
        let (their_stdout, stdout) = pipe()?;
        let (their_stderr, stderr) = pipe()?;
        let ours = Self { stdin, stdout, stderr };
        let theirs = [
            their_stdin.into_blocking_fd()?.into(),
            their_stdout.into_blocking_fd()?.into(),
            their_stderr.into_blocking_fd()?.into(),
        ];
        Ok((ours, theirs))
    }

    /// Carries frames both ways until the command has closed its output.
    pub(super) async fn carry(self, input: mpsc::Receiver<Frame>, output: &mpsc::Sender<Frame>) {
        let Self { stdin, stdout, stderr } = self;
        let feeding = tokio::spawn(feed(stdin, input));
        tokio::join!(read(stdout, Frame::Stdout, output), read(stderr, Frame::Stderr, output));
        feeding.abort();
    }
}

/// Writes what is typed until its end, or until nobody types any more.
async fn feed(mut stdin: Sender, mut input: mpsc::Receiver<Frame>) {
    while let Some(frame) = input.recv().await {
        match frame {
            Frame::Input(bytes) => {
                let written = stdin.write_all(&bytes).await;
                // The command may not read any more.
                let Ok(()) = written else { return };
            }
            Frame::InputEnd => return,
            _ => {}
        }
    }
}

async fn read(mut pipe: Receiver, frame: fn(Bytes) -> Frame, output: &mpsc::Sender<Frame>) {
    let mut buffer = vec![0; PIECE];
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        // Nobody may listen any more; the command is not to be held up.
        let _ = output.send(frame(Bytes::copy_from_slice(&buffer[..length]))).await;
    }
}
