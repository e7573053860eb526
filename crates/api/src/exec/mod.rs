//! Commands in instances.
//!
//! ```text
//!   request ── frames: start, files, input, sizes ──▶ files ──▶ engine ──▶ frames: output, error, end ──▶ answer
//! ```
//!
//! The request and the answer are open at the same time (HTTP/1.1 allows that), so that input and output need no other
//! protocol, and a client that is no terminal only sends JSON.

mod answer;
mod files;
mod input;

use axum::body::Body;
use axum::extract::{Extension, FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use orchestrator_api_types::{self as wire, Exec, FRAMES};
use orchestrator_model::{Container, ExecRequest, Instance, Phase, TerminalSize};

use self::answer::Frames;
use self::input::FrameReader;
use super::caller::Caller;
use super::connection::Connection;
use super::describe::{Input, Operation, Schemas};
use super::params::Segment;
use super::problem::Fault;
use super::routes::Shared;
use super::view::View;

/// The body of a request that is read while the command runs.
pub(super) struct ExecBody {
    is_frames: bool,
    body: Body,
}

impl FromRequest<Shared> for ExecBody {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Fault> {
        let is_frames = match media_type(request.headers()) {
            FRAMES => true,
            "application/json" | "" => false,
            _ => {
                let detail = format!("the body is to be application/json or {FRAMES}; send its Content-Type");
                return Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", detail));
            }
        };
        let body = request.into_body();
        Ok(Self { is_frames, body })
    }
}

fn media_type(headers: &HeaderMap) -> &str {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.unwrap_or_default().split(';').next().unwrap_or_default().trim()
}

impl Input for ExecBody {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        operation.takes(schemas.given::<Exec>());
    }
}

/// Whether a path is that of a command.
pub(super) fn is_exec_path(path: &str) -> bool {
    let id = path
        .strip_prefix("/v1/instances/")
        .and_then(|rest| rest.strip_suffix("/exec"));
    id.is_some_and(|id| !id.contains('/'))
}

/// `POST /v1/instances/{id}/exec`
pub(super) async fn exec(
    (State(shared), Extension(connection)): (State<Shared>, Extension<Connection>),
    caller: Caller,
    view: View,
    Segment(id): Segment,
    ExecBody { is_frames, body }: ExecBody,
) -> Result<Frames, Fault> {
    let permits = shared.stream_permits(&connection)?;
    let mut reader = FrameReader::new(body);
    let begin = async {
        let exec = match is_frames {
            true => reader.start().await?,
            false => reader.json().await?,
        };
        let files = reader.files(&exec).await?;
        Ok::<_, Fault>((exec, files))
    };
    let begun = tokio::time::timeout(input::BEGIN_LIMIT, begin).await;
    let (exec, files) = begun.map_err(|_| input::too_slow())??;
    // From now on the peer waits for the command, whatever it still sends.
    connection.exchange.body_received();
    let request = request(&exec)?;
    let control = shared.app.control.runs()?;
    let instance = view.instance(&id).await?.instance;
    let container = container_of(&instance, exec.container.as_deref())?.clone();
    for (directory, archive) in files::archives(files)? {
        let archive = Box::pin(futures_util::stream::iter([Ok(archive)]));
        control.put_files(&instance, &container, &directory, archive).await?;
    }
    let session = control.exec(&caller, &instance, &container, &request).await?;
    let follows = is_frames && exec.input;
    Ok(Frames::new(
        session,
        follows.then_some(reader),
        shared.draining.clone(),
        permits,
    ))
}

fn request(exec: &Exec) -> Result<ExecRequest, Fault> {
    if exec.command.first().is_none_or(String::is_empty) {
        return Err(Fault::bad_exec(
            "command is empty; it takes the program and its arguments",
        ));
    }
    let words = exec
        .command
        .iter()
        .chain(exec.environment.keys())
        .chain(exec.environment.values());
    if words.into_iter().any(|word| word.contains('\0')) {
        return Err(Fault::bad_exec(
            "a word or a variable has a zero byte, which no program can be given",
        ));
    }
    Ok(ExecRequest {
        command: exec.command.clone(),
        environment: exec.environment.clone(),
        user: exec.user.clone(),
        directory: exec.directory.as_ref().map(Into::into),
        terminal: exec.terminal.map(size),
    })
}

fn size(size: wire::TerminalSize) -> TerminalSize {
    let wire::TerminalSize { columns, rows } = size;
    TerminalSize { columns, rows }
}

/// The container of an instance with this name; without a name, the first.
pub(super) fn container_of<'a>(instance: &'a Instance, name: Option<&str>) -> Result<&'a Container, Fault> {
    if instance.phase == Phase::Removed {
        let detail = format!(
            "instance {} is gone; `orchestrator ls` shows those there are",
            instance.id
        );
        return Err(Fault::new(StatusCode::CONFLICT, "instance-gone", detail));
    }
    let found = match name {
        Some(name) => instance.containers.iter().find(|container| container.name == name),
        None => instance.containers.first(),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = instance
            .containers
            .iter()
            .map(|container| container.name.as_str())
            .collect();
        let detail = format!(
            "instance {} has no container {:?}; it has {}",
            instance.id,
            name.unwrap_or("main"),
            names.join(", ")
        );
        Fault::new(StatusCode::NOT_FOUND, "no-such-container", detail)
    })
}
