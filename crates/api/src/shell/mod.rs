//! Command lines over HTTP: the same lines as outside, by the same parser, with the rights of who sent them.
//!
//! ```text
//!   parts: line, files, input ──▶ Line ──▶ Verb::run over the API itself ──▶ records: output, error … exit code
//! ```
//!
//! A line has no verb that touches this machine, and no file and no standard input but those that came with it.

mod api;
mod parts;
mod records;

use axum::body::Bytes;
use axum::extract::{Extension, FromRequest, Request, State};
use axum::http::{StatusCode, header};
use orchestrator_api_types::ShellLine;
use orchestrator_verbs::printable::printable;
use orchestrator_verbs::{Failure, Line, Session};
use tokio::sync::mpsc;

use self::api::InsideApi;
use self::parts::Parts;
pub(super) use self::records::RECORDS;
use self::records::{Printer, Records};
use super::body::Largest;
use super::caller::Caller;
use super::connection::Connection;
use super::describe::{Input, Operation, Schemas};
use super::problem::Fault;
use super::routes::Shared;

/// The path of lines.
pub(super) const PATH: &str = "/v1/shell";

/// How much of the first word of a line is logged, in bytes.
const LONGEST_VERB: usize = 32;

/// The largest line with its files.
pub(super) const LARGEST: Largest = Largest {
    bytes: 16 << 20,
    instead: ", which a line with its files may not have; images of any size are loaded by \
        `orchestrator image load FILE` of the command line, or by POST /v1/images",
};

/// A line, and the files that came with it.
pub(super) struct ShellBody(Parts);

impl FromRequest<Shared> for ShellBody {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Fault> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
        // It is in memory already.
        let body = axum::body::to_bytes(request.into_body(), LARGEST.bytes).await;
        let body = body.map_err(|_| Fault::bad_line("it breaks off before its end"))?;
        let parts = match kind.split(';').next().unwrap_or_default().trim() {
            "multipart/form-data" => Parts::read(&kind, body).await?,
            "application/json" | "" => Parts::of(json(&body)?),
            _ => {
                let detail = "the body is to be multipart/form-data or application/json; send its Content-Type";
                return Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", detail));
            }
        };
        Ok(Self(parts))
    }
}

/// Reads JSON. A problem shows nothing of it: it may hold a password.
fn json(body: &Bytes) -> Result<ShellLine, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        Fault::bad_line(format!(
            "it is no JSON with the keys \"line\" and \"input\", which are text, at line {}, column {}",
            error.line(),
            error.column()
        ))
    })
}

impl Input for ShellBody {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        operation.takes(schemas.given::<ShellLine>());
    }
}

/// `POST /v1/shell`
pub(super) async fn run(
    (State(shared), Extension(connection)): (State<Shared>, Extension<Connection>),
    caller: Caller,
    ShellBody(parts): ShellBody,
) -> Result<Records, Fault> {
    let permits = shared.stream_permits(&connection)?;
    tracing::info!(by = %caller, line = first_word(&parts.line), "a line came by HTTP");
    let (sender, receiver) = mpsc::unbounded_channel();
    let printer = Printer::new(sender);
    let own = printer.clone();
    let work = async move {
        let _permits = permits;
        let draining = shared.draining.clone();
        let api = InsideApi::new(&shared, caller, &connection);
        tokio::select! {
            code = run_line(&shared, &api, parts, printer.clone()) => code,
            () = draining.cancelled() => {
                printer.error("the daemon is stopping\n");
                1
            }
        }
    };
    Ok(Records::new(&own, receiver, work))
}

/// The verb of a line, which names nothing secret. It is whatever was typed first, so that its length is bounded.
fn first_word(line: &str) -> &str {
    let word = line.split_whitespace().next().unwrap_or_default();
    &word[..word.floor_char_boundary(LONGEST_VERB)]
}

/// Runs a line, and returns its exit code.
async fn run_line(shared: &Shared, api: &InsideApi, parts: Parts, mut printer: Printer) -> u8 {
    let line = match Line::split(&parts.line).and_then(|words| Line::parse(words.iter().map(String::as_str))) {
        Ok(line) => line,
        Err(misuse) if misuse.is_help => {
            printer.output(&misuse.text);
            return 0;
        }
        Err(misuse) => {
            printer.error(&misuse.text);
            return 2;
        }
    };
    let mut session = Session {
        api,
        sink: &mut printer,
        output: line.output,
        now: shared.app.control.now(),
        local: &parts,
        limit: None,
    };
    let ended = line.verb.run(&mut session).await;
    let told = printer.end().map_err(Failure::Print);
    match ended.and(told) {
        Ok(()) => 0,
        Err(failure) => {
            for fault in failure.faults() {
                printer.error(&format!("{}\n", printable(fault)));
            }
            if !failure.is_said() && !failure.is_no_reader() {
                printer.failed(&failure);
            }
            failure.code()
        }
    }
}
