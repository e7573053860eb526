//! One connection: one request of HTTP/1.1, with limits on everything that a peer may send or delay.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use orchestrator_runtime::metrics::Metrics;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Face, Limits};
use crate::{Request, Response, Source};

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 16 * 1024;
/// The largest number of header lines of a request.
const MOST_HEADERS: usize = 64;
/// Headers of every answer: nothing is kept, framed, guessed or loaded from elsewhere.
const HEADERS: [(&str, &str); 5] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
];

/// Serves one request, and closes the connection.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    source: Source,
    face: Arc<dyn Face>,
    limits: Limits,
    metrics: &Metrics,
) {
    let source = &source;
    let answer = service_fn(|request| {
        let face = face.clone();
        async move { Ok::<_, Infallible>(answer(request, source, face.as_ref(), &limits, metrics).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LARGEST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer);
    match tokio::time::timeout(limits.whole, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            metrics.portal_connection_refused(if error.is_timeout() { "slow" } else { "broken" });
            tracing::debug!(%error, link = source.link, "a connection broke off");
        }
        Err(_late) => metrics.portal_connection_refused("slow"),
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    source: &Source,
    face: &dyn Face,
    limits: &Limits,
    metrics: &Metrics,
) -> hyper::Response<Full<Bytes>> {
    let response = match read(request, limits.body).await {
        Ok(request) => face.answer(source, &request).await,
        Err(response) => {
            metrics.portal_refused(face.word(), "bad-request");
            response
        }
    };
    write(response)
}

/// Reads the whole request.
async fn read(request: hyper::Request<Incoming>, largest: usize) -> Result<Request, Response> {
    let (head, body) = request.into_parts();
    let declared = text(&head.headers, &CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if declared.is_some_and(|length| length > largest) {
        return Err(too_large(largest));
    }
    let body = Limited::new(body, largest).collect().await.map_err(|error| {
        match error.downcast_ref::<LengthLimitError>() {
            Some(_) => too_large(largest),
            None => Response::text(StatusCode::BAD_REQUEST, "The request breaks off before its end.\n"),
        }
    })?;
    Ok(Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        authorization: text(&head.headers, &AUTHORIZATION),
        host: text(&head.headers, &HOST),
        accept: text(&head.headers, &ACCEPT).unwrap_or_default(),
        origin: text(&head.headers, &ORIGIN),
        content_type: text(&head.headers, &CONTENT_TYPE),
        body: body.to_bytes(),
    })
}

fn too_large(largest: usize) -> Response {
    let body = format!("The body of the request has more than {largest} bytes.\n");
    Response::text(StatusCode::PAYLOAD_TOO_LARGE, body)
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

fn write(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut written = hyper::Response::new(Full::new(Bytes::from(response.body)));
    *written.status_mut() = response.status;
    let headers = written.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(response.content_type));
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    for (name, value) in response.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    written
}
