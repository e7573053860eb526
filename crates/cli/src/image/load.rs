//! Sends an archive to the daemon, piece by piece.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, stream};
use orchestrator_api_types::Images;
use orchestrator_verbs::page;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::progress::amount;
use super::refused;
use crate::failure::Failure;
use crate::http::Client;
use crate::progress::Line;

/// Bytes in one piece.
const PIECE: usize = 64 << 10;

/// Pieces of a file as they are read.
pub(crate) type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send + Sync>>;

/// Loads the images of a file. Returns them.
pub(super) async fn run(file: &Path, path: &str, api: &Client) -> Result<Images, Failure> {
    let fault = |source| Failure::File {
        doing: "read",
        path: file.to_owned(),
        source,
    };
    let opened = match file == Path::new("-") {
        true => File::from_std(io::stdin().as_fd().try_clone_to_owned().map_err(fault)?.into()),
        false => File::open(file).await.map_err(fault)?,
    };
    // A pipe has no length.
    let total = opened.metadata().await.map_err(fault)?.len();
    let answer = api.upload(path, pieces(opened, total)).await.map_err(refused)?;
    Ok(page::parse(&answer, "images")?)
}

fn pieces(input: File, total: u64) -> Pieces {
    let state = (input, 0_u64, Line::new());
    Box::pin(stream::unfold(state, move |(mut input, done, mut line)| async move {
        let mut piece = vec![0; PIECE];
        match input.read(&mut piece).await {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                let done = done.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
                line.show(&match total {
                    0 => format!("sent {}", amount(done)),
                    total if done >= total => "sent; the engine unpacks it".to_owned(),
                    total => format!("sent {} of {}", amount(done), amount(total)),
                });
                Some((Ok(Bytes::from(piece)), (input, done, line)))
            }
            Err(error) => Some((Err(error), (input, done, line))),
        }
    }))
}
