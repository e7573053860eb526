//! Bodies of requests, bounded in size and time.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::marker::PhantomData;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::problem::Fault;
use super::routes::Shared;

/// The largest body that is read, in bytes.
pub(super) const LARGEST_BODY: usize = 64 * 1024;

/// The largest body of a request.
#[derive(Clone, Copy)]
pub(super) struct Largest {
    /// Its bytes.
    pub(super) bytes: usize,
    /// What a refusal of a larger one says after that, such as what to do instead.
    pub(super) instead: &'static str,
}

/// The largest body of most requests.
const LARGEST: Largest = Largest {
    bytes: LARGEST_BODY,
    instead: "",
};

/// Reads the whole body into memory, within `limit`. Whatever comes after waits for no peer. Returns the bytes, too.
///
/// A signature is verified over the body, so that anybody may send one: only a small body is read for it.
pub(super) async fn receive(request: Request, limit: Duration, is_signed: bool) -> Result<(Request, Bytes), Fault> {
    let largest = match is_signed {
        true => LARGEST,
        false => largest(request.uri().path()),
    };
    refuse_larger(request.headers(), largest)?;
    refuse_coded(request.headers())?;
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return Ok((Request::from_parts(parts, body), Bytes::new()));
    }
    match tokio::time::timeout(limit, Limited::new(body, largest.bytes).collect()).await {
        Ok(Ok(collected)) => {
            let bytes = collected.to_bytes();
            Ok((Request::from_parts(parts, Body::from(bytes.clone())), bytes))
        }
        Ok(Err(error)) => Err(unreadable(error.as_ref(), largest)),
        Err(_) => {
            let detail = format!("the body did not arrive within {limit:?}");
            Err(Fault::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", detail))
        }
    }
}

/// The largest body of a request for a path.
fn largest(path: &str) -> Largest {
    match path {
        // Its files are parts of it.
        super::shell::PATH => super::shell::LARGEST,
        _ => LARGEST,
    }
}

/// Refuses a body by the length that the request's head announces, before any of it is read.
pub(super) fn refuse_large(request: &Request) -> Result<(), Fault> {
    refuse_larger(request.headers(), largest(request.uri().path()))
}

fn refuse_larger(headers: &HeaderMap, largest: Largest) -> Result<(), Fault> {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    match length.and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if length > largest.bytes as u64 => Err(too_large(largest)),
        _ => Ok(()),
    }
}

/// Refuses a body with a transfer coding that the daemon does not decode (RFC 9112, section 6.1).
fn refuse_coded(headers: &HeaderMap) -> Result<(), Fault> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Ok(());
    }
    let detail = "the body is in a transfer coding that is not known here; send it as it is, or in chunks";
    Err(Fault::new(
        StatusCode::NOT_IMPLEMENTED,
        "unknown-transfer-coding",
        detail,
    ))
}

fn too_large(Largest { bytes, instead }: Largest) -> Fault {
    let detail = format!("the body has more than {bytes} bytes{instead}");
    Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
}

fn unreadable(error: &(dyn Error + 'static), largest: Largest) -> Fault {
    if error.is::<LengthLimitError>() {
        return too_large(largest);
    }
    let malformed = find_malformed(error);
    match malformed {
        Some(error) => {
            let detail = format!("the chunks of the body are malformed (RFC 9112, section 7.1): {error}");
            Fault::new(StatusCode::BAD_REQUEST, "bad-chunk", detail)
        }
        None => {
            let detail = "the body breaks off before its end; send it whole";
            Fault::new(StatusCode::BAD_REQUEST, "body-broke-off", detail)
        }
    }
}

/// hyper says by the kind of an I/O error that chunks are malformed.
fn find_malformed<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if let Some(io) = io.filter(|io| matches!(io.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidData)) {
            return Some(io);
        }
        cause = error.source();
    }
    None
}

/// A body that may be JSON for a `T`: the head does not announce another type.
pub(super) struct JsonBody<T> {
    bytes: Bytes,
    read_as: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> JsonBody<T> {
    /// Parses a body that holds a secret. The problem shows nothing of it.
    pub(super) fn read_secret(&self, what: &str) -> Result<T, Fault> {
        serde_json::from_slice(&self.bytes).map_err(|_| {
            let detail = format!("the body is not {what}; what it holds is not shown here");
            Fault::new(StatusCode::BAD_REQUEST, "bad-body", detail)
        })
    }

    /// Parses the body as JSON. `what` names the expected content in problems.
    pub(super) fn read(&self, what: &str) -> Result<T, Fault> {
        serde_json::from_slice(&self.bytes).map_err(|error| {
            let detail = format!("the body is not {what}: {error}");
            Fault::new(StatusCode::BAD_REQUEST, "bad-body", detail)
        })
    }
}

/// A body that may be JSON for a `T`, or nothing, which stands for the default.
pub(super) struct OptionalBody<T>(JsonBody<T>);

impl<T: DeserializeOwned + Default> OptionalBody<T> {
    /// Parses the body. `what` names the expected content in problems.
    pub(super) fn read(&self, what: &str) -> Result<T, Fault> {
        match self.0.bytes.is_empty() {
            true => Ok(T::default()),
            false => self.0.read(what),
        }
    }
}

impl<T> FromRequest<Shared> for OptionalBody<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Fault> {
        JsonBody::from_request(request, shared).await.map(Self)
    }
}

impl<T> FromRequest<Shared> for JsonBody<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Fault> {
        if !may_be_json(request.headers()) {
            let detail =
                "the body is to be JSON in UTF-8, without a Content-Encoding; send Content-Type: application/json";
            return Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", detail));
        }
        // It is in memory already.
        let bytes = to_bytes(request.into_body(), LARGEST_BODY).await;
        let bytes = bytes.map_err(|error| unreadable(&error, LARGEST))?;
        Ok(Self {
            bytes,
            read_as: PhantomData,
        })
    }
}

/// Whether the body may be JSON. A body without a type counts as JSON (RFC 9110, section 8.3).
fn may_be_json(headers: &HeaderMap) -> bool {
    let plain = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let json = |kind: &header::HeaderValue| kind.to_str().is_ok_and(is_json);
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    plain && kinds.next().is_none_or(json) && kinds.next().is_none()
}

fn is_json(kind: &str) -> bool {
    let mut parts = kind.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let suits = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    essence.eq_ignore_ascii_case("application/json") && parts.all(suits)
}
