//! Registries, and by whom images are fetched from them. No password is ever answered.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use orchestrator_api_types as wire;
use orchestrator_model::Credentials;
use serde_json::json;

use super::body::JsonBody;
use super::caller::Caller;
use super::describe::{Input, NoContent, Operation, Schemas};
use super::params::Params;
use super::problem::Fault;
use super::routes::Shared;

/// The name of a registry in a path.
pub(super) struct RegistryHost(String);

impl FromRequestParts<Shared> for RegistryHost {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Fault> {
        match Path::<String>::from_request_parts(parts, shared).await {
            Ok(Path(host)) => Ok(Self(host)),
            Err(_) => Err(Fault::not_found(parts.uri.path())),
        }
    }
}

impl Input for RegistryHost {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.parameter("path", "host", true, json!({ "type": "string" }));
    }
}

/// `GET /v1/registries`
pub(super) async fn list(
    State(shared): State<Shared>,
    Params(wire::NoQuery {}): Params<wire::NoQuery>,
) -> Result<Json<wire::Page<wire::Registry>>, Fault> {
    let registries = shared.app.control.images()?.registries().await?;
    let items = registries
        .into_iter()
        .map(|(host, created)| wire::Registry { host, created });
    Ok(Json(wire::Page {
        items: items.collect(),
        next: None,
    }))
}

/// `PUT /v1/registries/{host}`
pub(super) async fn login(
    State(shared): State<Shared>,
    caller: Caller,
    RegistryHost(host): RegistryHost,
    body: JsonBody<wire::RegistryLogin>,
) -> Result<NoContent, Fault> {
    let control = shared.app.control.images()?;
    let wire::RegistryLogin { user, password } = body.read_secret("the login of a registry, with user and password")?;
    control.login(&caller, &host, Credentials { user, password }).await?;
    Ok(NoContent)
}

/// `DELETE /v1/registries/{host}`
pub(super) async fn logout(
    State(shared): State<Shared>,
    caller: Caller,
    RegistryHost(host): RegistryHost,
) -> Result<NoContent, Fault> {
    match shared.app.control.images()?.logout(&caller, &host).await? {
        true => Ok(NoContent),
        false => {
            let detail =
                format!("no password is known for registry {host:?}; GET /v1/registries lists those there are");
            Err(Fault::new(StatusCode::NOT_FOUND, "no-such-registry", detail))
        }
    }
}
