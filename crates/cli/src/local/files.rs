//! Files of this machine that are read and written piece by piece.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use orchestrator_verbs::{DASH, Input, NewFile};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::backup::{part_of, sync_directory};

/// Bytes in one piece.
const PIECE: usize = 64 << 10;

/// Opens a file, or standard input.
pub(super) async fn open(name: &str) -> io::Result<Input> {
    let input = match name {
        DASH => File::from_std(io::stdin().as_fd().try_clone_to_owned()?.into()),
        name => File::open(name).await?,
    };
    let about = input.metadata().await?;
    let pieces = stream::unfold(Some(input), |input| async move {
        let mut input = input?;
        let mut piece = vec![0; PIECE];
        match input.read(&mut piece).await {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                Some((Ok(Bytes::from(piece)), Some(input)))
            }
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(Input {
        length: about.is_file().then_some(about.len()),
        pieces: Box::pin(pieces),
    })
}

/// A file that is written beside its place, for its owner alone.
pub(super) struct Part {
    out: fs::File,
    part: PathBuf,
    place: PathBuf,
    is_placed: bool,
}

impl Part {
    pub(super) fn new(place: &Path) -> io::Result<Self> {
        let part = part_of(place);
        let out = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)?;
        Ok(Self {
            out,
            part,
            place: place.to_owned(),
            is_placed: false,
        })
    }
}

#[async_trait]
impl NewFile for Part {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    async fn place(mut self: Box<Self>) -> io::Result<()> {
        self.out.sync_all()?;
        fs::rename(&self.part, &self.place)?;
        self.is_placed = true;
        sync_directory(&self.place)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_placed {
            let _ = fs::remove_file(&self.part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_there_as_a_whole_or_not_at_all() {
        let directory = std::env::temp_dir().join(format!("orchestrator-part-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let place = directory.join("a.tar");
        let mut part = Box::new(Part::new(&place).unwrap());
        part.write(b"one").await.unwrap();
        drop(part);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        let mut part = Box::new(Part::new(&place).unwrap());
        part.write(b"one").await.unwrap();
        part.write(b"two").await.unwrap();
        part.place().await.unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"onetwo");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        fs::remove_dir_all(&directory).unwrap();
    }
}
