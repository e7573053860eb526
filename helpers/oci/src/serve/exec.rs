//! Commands: a connection that carries frames after an answer with status 101.

use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, UPGRADE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use orchestrator_plugin_oci::protocol::{self, Decoder, ExecOf, FRAME_LIMIT, Fault, Frame, Verb};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::mpsc;

use super::answer::Failure;
use crate::engine::{Helper, Session};

/// Bytes of the largest request.
const LARGEST: usize = 4 << 20;

type Connection = TokioIo<Upgraded>;

pub(super) async fn exec(State(helper): State<Helper>, mut request: Request) -> Result<Response, Failure> {
    let refused = |reason: String| Fault::refused(Verb::Run, "a container", reason);
    let asked = request.headers().get(UPGRADE);
    if asked != Some(&HeaderValue::from_static(protocol::UPGRADE)) {
        return Err(refused(format!("the request does not ask to upgrade to {}", protocol::UPGRADE)).into());
    }
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let upgrade = upgrade.ok_or_else(|| refused("the connection cannot be upgraded".to_owned()))?;
    let body = axum::body::to_bytes(request.into_body(), LARGEST).await;
    let body = body.map_err(|error| refused(error.to_string()))?;
    let question: ExecOf = serde_json::from_slice(&body).map_err(|error| refused(error.to_string()))?;
    let session = helper.exec(question).await?;
    tokio::spawn(async move {
        let Session { input, output } = session;
        match upgrade.await {
            Ok(upgraded) => {
                let (read, write) = split(TokioIo::new(upgraded));
                tokio::spawn(receive(read, input));
                send(output, Some(write)).await;
            }
            // The command runs to its end all the same.
            Err(_) => send(output, None).await,
        }
    });
    let headers = [(CONNECTION, "upgrade"), (UPGRADE, protocol::UPGRADE)];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}

/// Hands on what the caller sends, until the end of the connection or of the command.
async fn receive(mut read: ReadHalf<Connection>, input: mpsc::Sender<Frame>) {
    let (mut decoder, mut buffer) = (Decoder::default(), vec![0; FRAME_LIMIT]);
    loop {
        match decoder.take() {
            Ok(Some(frame)) => {
                // What comes after the end of the input is read and dropped: it is not to block the connection.
                let _ = input.send(frame).await;
            }
            Ok(None) => match read.read(&mut buffer).await {
                Ok(length @ 1..) => decoder.feed(&buffer[..length]),
                Ok(_) | Err(_) => return,
            },
            Err(_) => return,
        }
    }
}

/// Sends what comes from the command. A caller that is gone does not hold it up.
async fn send(mut output: mpsc::Receiver<Frame>, mut write: Option<WriteHalf<Connection>>) {
    while let Some(frame) = output.recv().await {
        if let Some(connection) = &mut write
            && (connection.write_all(&frame.encode()).await.is_err() || connection.flush().await.is_err())
        {
            write = None;
        }
    }
    if let Some(mut connection) = write {
        let _ = connection.shutdown().await;
    }
}
