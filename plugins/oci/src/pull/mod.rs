//! Fetches an image from its registry (OCI distribution specification, "Pull"), and has the helper load it.
//!
//! ```text
//!   registry ──HTTPS──▶ manifest, configuration ──▶ an archive in OCI's layout, as it comes ──▶ helper: load
//!                       layers, one after the other ─┘
//! ```
//!
//! A layer that the helper has already is not fetched. The manifest names layers by their compressed digests, the helper
//! by their uncompressed ones; the configuration, which is verified, has the latter in the same order. So an image can use
//! a layer of another image only if its maker knows the digest of the content, as with containerd.
//!
//! The helper has the capabilities to mount, so it never speaks to a registry: it reads an archive, as from anybody, and
//! verifies each digest. Manifests are verified here, because they are read here.
//!
//! Invariants:
//!
//! - The helper keeps the layers that were left out from the start of the load to its end. If one was removed before that,
//!   the pull fails and may be tried again.
//! - Everything is bounded: documents, layers, redirects, times.
//! - The password goes to the registry, and to where the registry says that it gives tokens, over TLS; without TLS only
//!   to a registry that may be reached so. It is in no error and in no log.

mod archive;
mod challenge;
mod http;
mod manifest;
mod reference;
#[cfg(test)]
mod tests;
mod transfer;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use orchestrator_plugin::{ByteStream, EngineError, Image, PullProgress, PullRequest};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::OciEngine;
use crate::protocol::LayersRequest;
use http::Registry;
use reference::Reference;
use transfer::Transfer;

/// How long a registry may send nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// Pieces that wait for the helper.
const WAITING: usize = 8;

/// What was being done, for errors.
const VERB: &str = "fetch image";

impl OciEngine {
    /// Fetches an image, and loads it.
    pub(crate) async fn pull(
        &self,
        request: &PullRequest,
        progress: mpsc::Sender<PullProgress>,
    ) -> Result<Image, EngineError> {
        let reference = Reference::parse(&request.reference).map_err(|reason| refused(&request.reference, reason))?;
        let credentials = request.credentials.clone();
        let registry = Registry::new(reference, credentials, &self.http_registries);
        // The helper is asked first: nothing is fetched for one that is not there.
        self.connection.negotiate().await?;
        let found = spawn_blocking(move || Transfer::begin(registry)).await;
        let mut transfer = found.map_err(|fault| interrupted(&request.reference, &fault.to_string()))??;
        let there = self.layers_there(transfer.layers()).await?;
        let left_out = transfer.leave_out(&there);
        let (sender, receiver) = mpsc::channel(WAITING);
        let unpacking = PullProgress {
            part: None,
            status: "Unpacking".to_owned(),
            bytes: None,
        };
        let sending = spawn_blocking({
            let progress = progress.clone();
            move || transfer.send(&sender, &progress)
        });
        let loaded = self
            .load_onto(
                pieces(receiver, request.reference.clone(), (progress, unpacking)),
                left_out,
            )
            .await;
        // What the registry did is the cause when both fail. The task ends with its reader.
        match (loaded, sending.await) {
            (_, Ok(Err(fault))) => Err(fault),
            (Err(fault), _) => Err(fault),
            (Ok(mut images), _) => images
                .pop()
                .ok_or_else(|| interrupted(&request.reference, "the helper has loaded no image")),
        }
    }
}

impl OciEngine {
    /// Those of these layers that the helper has. A helper of an earlier release cannot say so; then all are fetched.
    async fn layers_there(&self, layers: Vec<String>) -> Result<BTreeSet<String>, EngineError> {
        if layers.is_empty() {
            return Ok(BTreeSet::new());
        }
        let question = LayersRequest { layers };
        match self.connection.ask(VERB, "/v1/layers", &question).await {
            Ok(there) => Ok(there),
            Err(fault @ (EngineError::Unavailable { .. } | EngineError::Timeout { .. })) => Err(fault),
            Err(fault) => {
                tracing::debug!(engine = self.name, %fault, "the helper does not say which layers it has; all are fetched");
                Ok(BTreeSet::new())
            }
        }
    }
}

/// The pieces of an archive as they come, until the registry is silent for too long. At their end the helper unpacks.
fn pieces(
    receiver: mpsc::Receiver<Result<Bytes, EngineError>>,
    subject: String,
    (progress, unpacking): (mpsc::Sender<PullProgress>, PullProgress),
) -> ByteStream {
    let state = Some((receiver, subject, progress, unpacking));
    Box::pin(stream::unfold(state, |state| async move {
        let (mut receiver, subject, progress, unpacking) = state?;
        match timeout(SILENCE, receiver.recv()).await {
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some((receiver, subject, progress, unpacking)))),
            Ok(Some(Err(fault))) => Some((Err(fault), None)),
            Ok(None) => {
                // A step that finds no room is left out.
                let _ = progress.try_send(unpacking);
                None
            }
            Err(_) => {
                let reason = format!("the registry sent nothing for {SILENCE:?}; try again");
                Some((Err(interrupted(&subject, &reason)), None))
            }
        }
    }))
}

/// The registry or the image is at fault, and trying again does not help.
fn refused(subject: &str, reason: impl Into<String>) -> EngineError {
    EngineError::Refused {
        verb: VERB,
        subject: subject.to_owned(),
        reason: reason.into(),
    }
}

/// Trying again may help.
fn interrupted(subject: &str, reason: &str) -> EngineError {
    EngineError::Failed {
        verb: VERB,
        subject: subject.to_owned(),
        reason: reason.to_owned(),
    }
}
