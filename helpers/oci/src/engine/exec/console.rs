//! A command with a terminal.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use orchestrator_plugin::TerminalSize;
use orchestrator_plugin_oci::protocol::Frame;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::termios::Winsize;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use crate::ready::ready;

/// How long the runtime may take to hand the terminal over. It has ended when it is waited for.
const HANDING_OVER: Duration = Duration::from_secs(5);

/// Bytes that are read at once.
const PIECE: usize = 32 << 10;

/// The byte that is typed for the end of the input.
const END_OF_INPUT: u8 = 4;

/// Listens for the runtime, which sends the terminal.
pub(super) fn listen(socket: &Path) -> io::Result<UnixListener> {
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Takes the terminal from the runtime, which has connected already.
pub(super) fn accept(listener: &UnixListener) -> io::Result<OwnedFd> {
    let (connection, _) = listener.accept()?;
    connection.set_nonblocking(false)?;
    connection.set_read_timeout(Some(HANDING_OVER))?;
    receive(&connection)
}

/// Reads the handle of a terminal that is sent along with some text.
fn receive(connection: &UnixStream) -> io::Result<OwnedFd> {
    let mut text = [0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(
        connection,
        &mut [IoSliceMut::new(&mut text)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut handles) = message
            && let Some(handle) = handles.next()
        {
            return Ok(handle);
        }
    }
    Err(io::Error::other("the runtime sent no terminal"))
}

/// Gives a terminal another size, as columns and rows.
pub(super) fn resize(console: &OwnedFd, (columns, rows): (u16, u16)) -> io::Result<()> {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    Ok(rustix::termios::tcsetwinsize(console, size)?)
}

/// Carries frames both ways until the command has closed its terminal.
pub(super) async fn carry(console: OwnedFd, input: mpsc::Receiver<Frame>, output: &mpsc::Sender<Frame>) {
    let flags = rustix::fs::fcntl_getfl(&console);
    let nonblocking = flags.and_then(|flags| rustix::fs::fcntl_setfl(&console, flags | rustix::fs::OFlags::NONBLOCK));
    let Ok(console) = nonblocking
        .map_err(io::Error::from)
        .and_then(|()| ready(console, Interest::READABLE | Interest::WRITABLE))
    else {
        return;
    };
    tokio::select! {
        () = read(&console, output) => {}
        // The command goes on when nobody types any more.
        () = async { feed(&console, input).await; std::future::pending().await } => {}
    }
}

async fn read(console: &AsyncFd<OwnedFd>, output: &mpsc::Sender<Frame>) {
    let mut buffer = vec![0; PIECE];
    loop {
        let read = console
            .async_io(Interest::READABLE, |console| {
                Ok(rustix::io::read(console, &mut buffer)?)
            })
            .await;
        // A terminal that nobody has open any more cannot be read.
        let Ok(length @ 1..) = read else { return };
        let _ = output
            .send(Frame::Stdout(Bytes::copy_from_slice(&buffer[..length])))
            .await;
    }
}

async fn feed(console: &AsyncFd<OwnedFd>, mut input: mpsc::Receiver<Frame>) {
    while let Some(frame) = input.recv().await {
        let typed = match frame {
            Frame::Input(bytes) => write(console, &bytes).await,
            Frame::InputEnd => write(console, &[END_OF_INPUT]).await,
            Frame::Resize(TerminalSize { columns, rows }) => {
                // A size that cannot be set is none that anybody waits for.
                let _ = resize(console.get_ref(), (columns, rows));
                Ok(())
            }
            _ => Ok(()),
        };
        if typed.is_err() {
            return;
        }
    }
}

async fn write(console: &AsyncFd<OwnedFd>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let write = console
            .async_io(Interest::WRITABLE, |console| Ok(rustix::io::write(console, bytes)?))
            .await?;
        bytes = &bytes[write..];
    }
    Ok(())
}
