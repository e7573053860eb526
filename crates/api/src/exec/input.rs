//! Reads the frames of a request.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::StatusCode;
use futures_util::StreamExt;
use orchestrator_api_types::{Exec, ExecFile, Frame, FrameDecoder, FrameKind, TerminalSize};

use crate::body::LARGEST_BODY;
use crate::problem::Fault;

/// How long the start and the files of a command may take to arrive.
pub(super) const BEGIN_LIMIT: Duration = Duration::from_secs(120);

/// The largest size of all files of a command, in bytes.
const LARGEST_FILES: u64 = 64 << 20;

/// What a peer sends while its command runs.
pub(super) enum Sent {
    /// Input of the command; empty for its end.
    Input(Bytes),
    /// Another size of its terminal.
    Size(TerminalSize),
    /// Nothing more: the body has ended, or is none.
    Over,
}

/// The frames of a request, one after the other.
pub(super) struct FrameReader {
    body: BodyDataStream,
    decoder: FrameDecoder,
}

impl FrameReader {
    pub(super) fn new(body: Body) -> Self {
        Self {
            body: body.into_data_stream(),
            decoder: FrameDecoder::default(),
        }
    }

    /// The next frame; `None` at the end of the body.
    async fn frame(&mut self) -> Result<Option<Frame>, Fault> {
        loop {
            if let Some(frame) = self
                .decoder
                .take()
                .map_err(|error| Fault::bad_exec(error.to_string()))?
            {
                return Ok(Some(frame));
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.decoder.feed(&bytes),
                Some(Err(_)) => return Err(broke_off()),
                None => return Ok(None),
            }
        }
    }

    /// The request in the first frame.
    pub(super) async fn start(&mut self) -> Result<Exec, Fault> {
        match self.frame().await? {
            Some(frame) if frame.kind == FrameKind::Start => parse(&frame.payload),
            _ => Err(Fault::bad_exec("the first frame is not the start of a command")),
        }
    }

    /// The request as the whole body.
    pub(super) async fn json(&mut self) -> Result<Exec, Fault> {
        let mut json = Vec::new();
        while let Some(piece) = self.body.next().await {
            json.extend_from_slice(&piece.map_err(|_| broke_off())?);
            if json.len() > LARGEST_BODY {
                let detail = format!("the body has more than {LARGEST_BODY} bytes");
                return Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail));
            }
        }
        let exec = parse(&json)?;
        if exec.files.is_empty() {
            return Ok(exec);
        }
        Err(Fault::bad_exec(
            "files and input follow in frames only; send the request in frames",
        ))
    }

    /// The files that the request names, with their content.
    pub(super) async fn files(&mut self, exec: &Exec) -> Result<Vec<(ExecFile, Vec<u8>)>, Fault> {
        let total = exec.files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
        if total > LARGEST_FILES {
            let detail = format!("the files have {total} bytes; at most {LARGEST_FILES} are taken");
            return Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail));
        }
        let mut files = Vec::with_capacity(exec.files.len());
        for file in &exec.files {
            let mut content = Vec::new();
            while (content.len() as u64) < file.size {
                match self.frame().await? {
                    Some(frame) if frame.kind == FrameKind::File => content.extend_from_slice(&frame.payload),
                    _ => return Err(Fault::bad_exec(format!("{} ends before its size", file.path))),
                }
            }
            if content.len() as u64 > file.size {
                return Err(Fault::bad_exec(format!("{} has more bytes than its size", file.path)));
            }
            files.push((file.clone(), content));
        }
        Ok(files)
    }

    /// What the peer sends next. Frames that make no sense here are passed over.
    pub(super) async fn sent(&mut self) -> Sent {
        while let Ok(Some(frame)) = self.frame().await {
            match frame.kind {
                FrameKind::Input => return Sent::Input(frame.payload),
                FrameKind::Size => {
                    if let Ok(size) = serde_json::from_slice(&frame.payload) {
                        return Sent::Size(size);
                    }
                }
                _ => {}
            }
        }
        Sent::Over
    }
}

fn parse(json: &[u8]) -> Result<Exec, Fault> {
    serde_json::from_slice(json).map_err(|error| Fault::bad_exec(error.to_string()))
}

fn broke_off() -> Fault {
    let detail = "the body breaks off before its end; send it whole";
    Fault::new(StatusCode::BAD_REQUEST, "body-broke-off", detail)
}

pub(super) fn too_slow() -> Fault {
    let detail = format!("the command and its files did not arrive within {BEGIN_LIMIT:?}");
    Fault::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", detail)
}
