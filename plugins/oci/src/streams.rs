//! Output, archives and changes: answers whose body is a stream.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::{Frame as BodyFrame, Incoming};
use orchestrator_plugin::{ByteStream, Change, Container, EngineError, Image, LogRequest, Output, OutputStream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::OciEngine;
use crate::connect::Connection;
use crate::lines::Lines;
use crate::protocol::{Decoder, FilesRequest, Frame, Happening, ImageEntry, LoadRequest, LogsRequest, SiteRequest};

impl OciEngine {
    /// The output of the container.
    pub(crate) async fn read_log(
        &self,
        container: &Container,
        request: &LogRequest,
    ) -> Result<OutputStream, EngineError> {
        let question = LogsRequest::new(self.target(container), request);
        let body = self.connection.stream("read the log of", "/v1/logs", &question).await?;
        let chunks = chunks(self.connection.clone(), body);
        let state = (Decoder::default(), Box::pin(chunks), self.connection.clone());
        Ok(Box::pin(stream::unfold(Some(state), |state| async move {
            let (mut decoder, mut chunks, connection) = state?;
            loop {
                match decoder.take() {
                    Ok(Some(Frame::Stdout(bytes))) => {
                        return Some((Ok(Output::Stdout(bytes)), Some((decoder, chunks, connection))));
                    }
                    Ok(Some(Frame::Stderr(bytes))) => {
                        return Some((Ok(Output::Stderr(bytes)), Some((decoder, chunks, connection))));
                    }
                    Ok(Some(_)) => {}
                    Err(error) => return Some((Err(connection.nonsense("read a log", error.to_string())), None)),
                    Ok(None) => match chunks.next().await {
                        Some(Ok(chunk)) => decoder.feed(&chunk),
                        Some(Err(error)) => return Some((Err(error), None)),
                        None => return None,
                    },
                }
            }
        })))
    }

    /// The archive of a file or directory inside.
    pub(crate) async fn read_archive(&self, container: &Container, path: &Path) -> Result<ByteStream, EngineError> {
        let question = self.files(container, path);
        let body = self
            .connection
            .stream("read files of", "/v1/files/read", &question)
            .await?;
        Ok(Box::pin(chunks(self.connection.clone(), body)))
    }

    /// Unpacks an archive into a directory inside.
    pub(crate) async fn write_archive(
        &self,
        container: &Container,
        directory: &Path,
        archive: ByteStream,
    ) -> Result<(), EngineError> {
        let question = self.files(container, directory);
        self.send_archive("write files into", "/v1/files/write", &question, archive)
            .await
    }

    /// Loads the images of an archive.
    pub(crate) async fn load(&self, archive: ByteStream) -> Result<Vec<Image>, EngineError> {
        self.load_onto(archive, Vec::new()).await
    }

    /// Loads the images of an archive, which may lack these layers because the helper has them.
    pub(crate) async fn load_onto(&self, archive: ByteStream, layers: Vec<String>) -> Result<Vec<Image>, EngineError> {
        let question = LoadRequest { layers };
        let loaded: Vec<ImageEntry> = self.send_archive("load", "/v1/images/load", &question, archive).await?;
        Ok(loaded.into_iter().map(Image::from).collect())
    }

    async fn send_archive<A: DeserializeOwned>(
        &self,
        verb: &'static str,
        path: &str,
        question: &impl Serialize,
        archive: ByteStream,
    ) -> Result<A, EngineError> {
        // A body may be polled from several threads, a stream only by its owner.
        let (sender, receiver) = mpsc::channel(4);
        let feed = tokio::spawn(async move {
            let mut archive = archive;
            while let Some(piece) = archive.next().await {
                let piece = piece.map(BodyFrame::data).map_err(std::io::Error::other);
                if sender.send(piece).await.is_err() {
                    return;
                }
            }
        });
        let pieces = stream::unfold(receiver, |mut receiver| async move {
            Some((receiver.recv().await?, receiver))
        });
        let body = BodyExt::boxed(StreamBody::new(Box::pin(pieces)));
        let answer = self.connection.upload(verb, path, question, body).await;
        feed.abort();
        answer
    }

    fn files(&self, container: &Container, path: &Path) -> FilesRequest {
        FilesRequest {
            of: self.target(container),
            path: path.to_owned(),
        }
    }

    /// Reports changes until the stream breaks.
    pub(crate) async fn watch_containers(&self, changes: mpsc::Sender<Change>) -> EngineError {
        let question = SiteRequest::from(self.mark);
        let body = match self.connection.stream("watch", "/v1/watch", &question).await {
            Ok(body) => body,
            Err(fault) => return fault,
        };
        let mut lines = Lines::new(self.connection.clone(), "watch", body);
        loop {
            let happening = tokio::select! {
                line = lines.next() => line,
                () = changes.closed() => return self.nobody_listens(),
            };
            let sent = match happening {
                Ok(happening) => changes.send(change(happening)).await,
                Err(fault) => return fault,
            };
            if sent.is_err() {
                return self.nobody_listens();
            }
        }
    }

    fn nobody_listens(&self) -> EngineError {
        self.connection.nonsense("watch", "nobody listens any more".to_owned())
    }
}

fn change(happening: Happening) -> Change {
    match happening {
        Happening::Everything => Change::Everything,
        Happening::Container(target) => Change::Container(target.key()),
    }
}

/// The bytes of a body.
pub(crate) fn chunks(
    connection: Arc<Connection>,
    body: Incoming,
) -> impl Stream<Item = Result<Bytes, EngineError>> + Send {
    let frames = BodyStream::new(body).try_filter_map(|frame| async move { Ok(frame.into_data().ok()) });
    frames.map_err(move |error| connection.unavailable(error))
}
