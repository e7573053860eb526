//! Tokens. The token itself is in one answer only: that which makes or rotates it.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use orchestrator_api_types as wire;
use orchestrator_model::{RecordedToken, parse_lifespan};
use orchestrator_secrets::{NewToken, Scope, Secret};

use super::body::JsonBody;
use super::caller::Caller;
use super::describe::Created;
use super::params::Params;
use super::problem::Fault;
use super::role::Role;
use super::routes::Shared;

/// The longest life of a token that has an end, and the longest overlap of a rotation.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How long a token is still accepted after its rotation, if nothing else is asked for.
const OVERLAP: Duration = Duration::from_secs(3600);

/// The name of a token in a path.
pub(super) struct TokenName(String);

impl FromRequestParts<Shared> for TokenName {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Fault> {
        match Path::<String>::from_request_parts(parts, shared).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(_) => Err(Fault::not_found(parts.uri.path())),
        }
    }
}

/// `GET /v1/tokens`
pub(super) async fn list(
    State(shared): State<Shared>,
    Params(wire::NoQuery {}): Params<wire::NoQuery>,
) -> Result<Json<wire::Page<wire::Token>>, Fault> {
    let tokens = shared.app.control.tokens()?.list();
    Ok(Json(wire::Page {
        items: tokens.into_iter().map(show).collect(),
        next: None,
    }))
}

/// `POST /v1/tokens`
pub(super) async fn add(
    State(shared): State<Shared>,
    caller: Caller,
    body: JsonBody<wire::NewToken>,
) -> Result<Created<wire::MadeToken>, Fault> {
    let control = &shared.app.control;
    let (tokens, now) = (control.tokens()?, control.now());
    let asked = body.read("a token")?;
    let scope = Scope::parse(asked.scope.iter().map(String::as_str))
        .map_err(|fault| Fault::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-scope", fault.to_string()))?;
    let life = asked
        .expires
        .as_deref()
        .map(|text| span(text, Duration::from_secs(60)))
        .transpose()?;
    let new = NewToken {
        name: asked.name,
        role: role(asked.role),
        scope,
        signs: asked.sign,
        until: life.map(|life| now.plus(life)),
    };
    tracing::info!(by = %caller, token = new.name, role = %new.role, "asked to make a token");
    let made = tokens.add(new, Some(caller.to_string()), now).await?;
    Ok(Created(show_once(made)))
}

/// `POST /v1/tokens/{name}/rotate`
pub(super) async fn rotate(
    State(shared): State<Shared>,
    caller: Caller,
    TokenName(name): TokenName,
    body: JsonBody<wire::RotateToken>,
) -> Result<Json<wire::MadeToken>, Fault> {
    let control = &shared.app.control;
    let (tokens, now) = (control.tokens()?, control.now());
    let asked = body.read("a rotation of a token")?;
    let overlap = asked
        .overlap
        .as_deref()
        .map(|text| span(text, Duration::ZERO))
        .transpose()?;
    tracing::info!(by = %caller, token = name, "asked to rotate a token");
    let made = tokens
        .rotate(&name, overlap.unwrap_or(OVERLAP), Some(caller.to_string()), now)
        .await?;
    Ok(Json(show_once(made)))
}

/// `DELETE /v1/tokens/{name}`
pub(super) async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    TokenName(name): TokenName,
) -> Result<Json<wire::Token>, Fault> {
    let control = &shared.app.control;
    let (tokens, now) = (control.tokens()?, control.now());
    tracing::info!(by = %caller, token = name, "asked to remove a token");
    let removed = tokens.remove(&name, Some(caller.to_string()), now).await?;
    Ok(Json(show(removed)))
}

fn span(text: &str, least: Duration) -> Result<Duration, Fault> {
    let span = parse_lifespan(text).map_err(|fault| Fault::bad_duration(fault.to_string()))?;
    match (least..=LONGEST).contains(&span) {
        true => Ok(span),
        false => Err(Fault::bad_duration(format!(
            "{text} is out of bounds: take \"{}s\" to \"3650d\"",
            least.as_secs()
        ))),
    }
}

fn role(asked: wire::Role) -> Role {
    match asked {
        wire::Role::Hook => Role::Hook,
        wire::Role::Viewer => Role::Viewer,
        wire::Role::Operator => Role::Operator,
        wire::Role::Admin => Role::Admin,
    }
}

fn show(token: RecordedToken) -> wire::Token {
    wire::Token {
        name: token.name,
        id: token.id,
        role: match token.role {
            Role::Hook => wire::Role::Hook,
            Role::Viewer => wire::Role::Viewer,
            Role::Operator => wire::Role::Operator,
            Role::Admin => wire::Role::Admin,
        },
        scope: token.scope,
        signs: token.signs,
        created: token.created,
        by: token.by,
        until: token.until,
        used: token.used,
        earlier_until: token.earlier.map(|(_, until)| until),
    }
}

fn show_once((recorded, token): (RecordedToken, Secret)) -> wire::MadeToken {
    wire::MadeToken {
        secret: token.expose_text().unwrap_or_default().to_owned(),
        token: show(recorded),
    }
}
