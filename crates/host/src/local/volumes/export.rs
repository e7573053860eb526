//! Reads a volume as a tar archive.
//!
//! An instance may hold the volume and change it while it is read. So everything is opened below a directory that is
//! open already, and never through a link: whatever an instance does, nothing outside of the volume is read.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use nix::fcntl::OFlag;
use orchestrator_plugin::{ByteStream, EngineError, Id};
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;

/// Bytes of a piece of the archive.
const PIECE: usize = 64 << 10;
/// Pieces that may queue.
const QUEUE: usize = 8;
/// The deepest directory that is read: each one on the way to it is open meanwhile.
const DEEPEST: usize = 200;

/// Begins to read a volume.
///
/// # Errors
///
/// When there is no such directory.
pub(super) fn export(volume: Id, path: &Path) -> io::Result<ByteStream> {
    let top = open_directory(path)?;
    let (sender, mut receiver) = mpsc::channel(QUEUE);
    // It ends when the archive is complete, or nobody reads it any more.
    std::thread::Builder::new().name("export".to_owned()).spawn(move || {
        if let Err(fault) = write_archive(top, Pieces::new(sender.clone())) {
            let _ = sender.blocking_send(Err(EngineError::Failed {
                verb: "export",
                subject: format!("volume {volume}"),
                reason: fault.to_string(),
            }));
        }
    })?;
    let pieces = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
    Ok(Box::pin(pieces))
}

fn write_archive(top: File, pieces: Pieces) -> io::Result<()> {
    let mut archive = Builder::new(pieces);
    let mut open: Vec<(File, PathBuf, Vec<OsString>)> = Vec::new();
    let names = names(&top)?;
    append_directory(&mut archive, &top, Path::new("./"))?;
    open.push((top, PathBuf::new(), names));
    while let Some((directory, path, names)) = open.last_mut() {
        let Some(name) = names.pop() else {
            open.pop();
            continue;
        };
        let path = path.join(&name);
        let Some(inner) = append(&mut archive, directory, &name, &path)? else {
            continue;
        };
        if open.len() >= DEEPEST {
            let text = format!("{} is nested in more than {DEEPEST} directories", path.display());
            return Err(io::Error::other(text));
        }
        let names = self::names(&inner)?;
        open.push((inner, path, names));
    }
    archive.into_inner()?.finish()
}

/// Appends one entry of a directory, and gives it if it is a directory itself. What vanished meanwhile is left out, and so
/// are sockets, which no archive holds.
fn append(archive: &mut Builder<Pieces>, directory: &File, name: &OsString, path: &Path) -> io::Result<Option<File>> {
    let at = below(directory).join(name);
    let found = match fs::symlink_metadata(&at) {
        Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    let kind = found.file_type();
    let mut header = Header::new_gnu();
    header.set_metadata(&found);
    if kind.is_dir() {
        let inner = open_directory(&at)?;
        append_directory(archive, &inner, path)?;
        return Ok(Some(inner));
    }
    if kind.is_symlink() {
        let target = fs::read_link(&at)?;
        header.set_size(0);
        archive.append_link(&mut header, path, target)?;
    } else if kind.is_file() {
        append_file(archive, &at, path)?;
    } else if !kind.is_socket() {
        // A pipe or a device: its node, and never what is behind it.
        header.set_size(0);
        header.set_device_major(u32::try_from(nix::sys::stat::major(found.rdev())).unwrap_or(0))?;
        header.set_device_minor(u32::try_from(nix::sys::stat::minor(found.rdev())).unwrap_or(0))?;
        archive.append_data(&mut header, path, io::empty())?;
    }
    Ok(None)
}

fn append_directory(archive: &mut Builder<Pieces>, directory: &File, path: &Path) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_metadata(&directory.metadata()?);
    header.set_size(0);
    header.set_entry_type(EntryType::Directory);
    archive.append_data(&mut header, path, io::empty())
}

/// Appends as many bytes as the file had when it was opened: one that shrinks meanwhile is filled up with zeros.
fn append_file(archive: &mut Builder<Pieces>, at: &Path, path: &Path) -> io::Result<()> {
    let file = match open(at, OFlag::O_NONBLOCK) {
        Ok(file) => file,
        Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(()),
        Err(fault) => return Err(fault),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(());
    }
    let mut header = Header::new_gnu();
    header.set_metadata(&metadata);
    let size = metadata.len();
    archive.append_data(&mut header, path, file.chain(io::repeat(0)).take(size))
}

fn open_directory(path: &Path) -> io::Result<File> {
    open(path, OFlag::O_DIRECTORY)
}

/// Opens what is there, unless that is a link.
fn open(path: &Path, flags: OFlag) -> io::Result<File> {
    let flags = (flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC).bits();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// The open directory itself, wherever it is by now.
fn below(directory: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()))
}

fn names(directory: &File) -> io::Result<Vec<OsString>> {
    let entries = fs::read_dir(below(directory).join("."))?;
    let mut names = entries
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<Vec<_>>>()?;
    // Taken from the end.
    names.sort_unstable_by(|one, other| other.cmp(one));
    Ok(names)
}

/// Sends an archive in pieces.
struct Pieces {
    sender: mpsc::Sender<Result<Bytes, EngineError>>,
    piece: Vec<u8>,
}

impl Pieces {
    fn new(sender: mpsc::Sender<Result<Bytes, EngineError>>) -> Self {
        Self {
            sender,
            piece: Vec::with_capacity(PIECE),
        }
    }

    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        let sent = self.sender.blocking_send(Ok(piece.into()));
        sent.map_err(|_| io::Error::from(ErrorKind::BrokenPipe))
    }

    fn finish(mut self) -> io::Result<()> {
        self.send()
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend(bytes.iter().take(taken));
        if self.piece.len() == PIECE {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::symlink;

    use futures_util::StreamExt;

    use super::*;
    use crate::local::volumes::tests::Place;

    async fn archive_of(path: &Path) -> Result<Vec<u8>, EngineError> {
        let mut stream = export(Id::from_bytes([1; 6]), path).unwrap();
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await {
            bytes.extend_from_slice(&piece?);
        }
        Ok(bytes)
    }

    fn entries(archive: &[u8]) -> BTreeMap<String, (EntryType, String)> {
        let mut archive = tar::Archive::new(archive);
        let read = |entry: io::Result<tar::Entry<'_, &[u8]>>| {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let link = entry.link_name().unwrap().map(|link| link.display().to_string());
            let path = entry.path().unwrap().display().to_string();
            (path, (entry.header().entry_type(), link.unwrap_or(text)))
        };
        archive.entries().unwrap().map(read).collect()
    }

    #[tokio::test]
    async fn an_archive_holds_links_as_links_and_nothing_from_outside() {
        let place = Place::new("export");
        let (top, outside) = (place.path().join("volume"), place.path().join("outside"));
        fs::create_dir_all(top.join("a").join("b".repeat(150))).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "hunter2").unwrap();
        fs::write(top.join("a").join("b".repeat(150)).join("c".repeat(200)), "long").unwrap();
        fs::write(top.join("large"), vec![b'x'; 200_000]).unwrap();
        symlink(&outside, top.join("directory")).unwrap();
        symlink(outside.join("secret"), top.join("a/file")).unwrap();
        nix::unistd::mkfifo(&top.join("fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        let archive = archive_of(&top).await.unwrap();
        let found = entries(&archive);
        assert!(!archive.windows(7).any(|window| window == b"hunter2"));
        assert_eq!(found["directory"], (EntryType::Symlink, outside.display().to_string()));
        assert_eq!(found["a/file"].0, EntryType::Symlink);
        assert_eq!(found["fifo"].0, EntryType::Fifo);
        assert_eq!(found["large"].1.len(), 200_000);
        let long = format!("a/{}/{}", "b".repeat(150), "c".repeat(200));
        assert_eq!(found[&long], (EntryType::Regular, "long".to_owned()));
        assert_eq!(found.len(), 8, "{:?}", found.keys());
    }

    #[tokio::test]
    async fn a_volume_that_is_a_link_is_not_followed_and_a_tree_that_is_too_deep_is_said_to_be() {
        let place = Place::new("export-refused");
        symlink("/etc", place.path().join("link")).unwrap();
        assert!(export(Id::from_bytes([1; 6]), &place.path().join("link")).is_err());
        assert!(export(Id::from_bytes([1; 6]), &place.path().join("none")).is_err());
        let mut deep = place.path().join("volume");
        for _ in 0..=DEEPEST {
            deep.push("d");
        }
        fs::create_dir_all(&deep).unwrap();
        let fault = archive_of(&place.path().join("volume")).await.unwrap_err();
        assert!(
            fault.to_string().contains("nested in more than 200 directories"),
            "{fault}"
        );
    }
}
