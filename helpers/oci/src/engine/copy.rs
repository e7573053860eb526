//! Files into and out of a container.

use std::io::{self, BufWriter, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use orchestrator_plugin::Turn;
use orchestrator_plugin_oci::protocol::{Fault, FilesRequest, Verb};
use tokio::sync::mpsc;

use super::{Entry, Helper};
use crate::root::{Root, UnpackError, pack, unpack};
use crate::shim::with_mounted;

/// Pieces of an archive that wait for their reader.
const WAITING: usize = 4;

/// Bytes of a piece.
const PIECE: usize = 64 << 10;

/// Pieces of an archive. An error is the last one.
pub(crate) type Pieces = mpsc::Receiver<io::Result<Bytes>>;

impl Helper {
    /// The archive of what is at a path inside.
    pub(crate) async fn read_files(&self, request: &FilesRequest) -> Result<(Option<Bytes>, Pieces), Fault> {
        let (entry, turn) = self.at_rest(request, Verb::ReadFiles).await?;
        let name = entry.record().name.clone();
        let (sender, mut receiver) = mpsc::channel(WAITING);
        let path = request.path.clone();
        tokio::task::spawn_blocking(move || {
            let of_pieces = sender.clone();
            let packed = with_root(&entry, move |root| {
                let mut output = BufWriter::with_capacity(PIECE, Pipe(of_pieces));
                pack(root, &path, &mut output).and_then(|()| output.flush())
            });
            drop(turn);
            if let Err(error) = packed {
                let _ = sender.blocking_send(Err(error));
            }
        });
        // A path that is not there is known before the first byte.
        match receiver.recv().await {
            Some(Ok(first)) => Ok((Some(first), receiver)),
            None => Ok((None, receiver)),
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                let reason = format!("there is no {} in the container", request.path.display());
                Err(Fault::refused(Verb::ReadFiles, name, reason))
            }
            Some(Err(error)) => Err(Fault::failed(Verb::ReadFiles, name, error)),
        }
    }

    /// Unpacks an archive into a directory inside.
    pub(crate) async fn write_files(&self, request: &FilesRequest, archive: Pieces) -> Result<(), Fault> {
        let (entry, turn) = self.at_rest(request, Verb::WriteFiles).await?;
        let name = entry.record().name.clone();
        let directory = request.path.clone();
        let unpacking = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let input = Source::new(archive);
            with_root(&entry, move |root| Ok(unpack(root, &directory, input)))
        });
        let failed = |error: io::Error| Fault::failed(Verb::WriteFiles, &name, error);
        let unpacked = unpacking
            .await
            .map_err(|fault| failed(io::Error::other(fault)))?
            .map_err(failed)?;
        unpacked.map_err(|error| match error {
            UnpackError::Io(error) => failed(error),
            refused => Fault::refused(Verb::WriteFiles, &name, refused),
        })
    }

    /// The container of a request. One that does not run is kept from being started meanwhile: its file system must not be
    /// mounted twice.
    async fn at_rest(&self, request: &FilesRequest, verb: Verb) -> Result<(Arc<Entry>, Option<Turn>), Fault> {
        if !request.path.is_absolute() {
            let reason = format!("{} is not an absolute path", request.path.display());
            return Err(Fault::refused(verb, request.of.container.key().engine_name(), reason));
        }
        let entry = self.existing(&request.of, verb)?;
        if entry.alive().is_some() {
            return Ok((entry, None));
        }
        let turn = self.turn_of(&entry).await;
        Ok((self.existing(&request.of, verb)?, Some(turn)))
    }
}

/// Does something in the file system of a container: in that of its first process while it runs, else in its own, mounted
/// for the moment.
pub(super) fn with_root<T: Send>(entry: &Entry, act: impl FnOnce(&Root) -> io::Result<T> + Send) -> io::Result<T> {
    let Some(alive) = entry.alive() else {
        return with_mounted(&entry.directory, &entry.record(), act);
    };
    let root = Root::open(&PathBuf::from(format!("/proc/{}/root", alive.process.pid)))?;
    match alive.process.open() {
        Some(_) => act(&root),
        // The number may have been another's already.
        None => Err(io::Error::other("the container has just ended; try again")),
    }
}

/// Sends what is written.
struct Pipe(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads what is received.
pub(super) struct Source {
    archive: Pieces,
    rest: Bytes,
}

impl Source {
    pub(super) fn new(archive: Pieces) -> Self {
        Self {
            archive,
            rest: Bytes::new(),
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.archive.blocking_recv() {
                Some(piece) => self.rest = piece?,
                None => return Ok(0),
            }
        }
        let length = self.rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.rest.split_to(length));
        Ok(length)
    }
}
