//! Services, their endpoints, and operations.

mod view;

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use orchestrator_api_types as wire;
use orchestrator_model::{Endpoints, OperationState};
use orchestrator_store::{OperationFilter, StoreError};
use serde_json::{Map, Value};
use tokio::time::timeout;

use self::view::{deployment, endpoints_view, operation_view, service_view};
use super::body::{JsonBody, OptionalBody};
use super::caller::Caller;
use super::connection::Connection;
use super::params::{Params, Segment, limit};
use super::problem::Fault;
use super::routes::Shared;
use super::service_control::{NewImage, ServiceControl, ServiceError};
use super::waiting;

/// `GET /v1/services`
pub(super) async fn list(
    (State(shared), Extension(connection)): (State<Shared>, Extension<Connection>),
    Params(query): Params<wire::EndpointQuery>,
) -> Result<Json<wire::Services>, Fault> {
    let control = shared.app.control.services()?;
    let _place = shared.place_if(query.index.is_some(), &connection)?;
    let endpoints = current(&shared, control.as_ref(), &query).await?;
    let all = match &query.service {
        None => control.list().await?,
        Some(name) => match control.show(name).await {
            Ok(found) => vec![found],
            Err(ServiceError::Store(StoreError::NoSuchService(_))) => Vec::new(),
            Err(error) => return Err(error.into()),
        },
    };
    Ok(Json(wire::Services {
        index: index_of(&endpoints, query.service.as_deref()),
        items: all.into_iter().map(service_view).collect(),
    }))
}

/// `GET /v1/services/{name}`
pub(super) async fn show(State(shared): State<Shared>, Segment(name): Segment) -> Result<Json<wire::Service>, Fault> {
    let control = shared.app.control.services()?;
    Ok(Json(service_view(control.show(&name).await?)))
}

/// `PUT /v1/services/{name}`
pub(super) async fn deploy(
    State(shared): State<Shared>,
    caller: Caller,
    Segment(name): Segment,
    Params(query): Params<wire::DeployQuery>,
    body: JsonBody<Map<String, Value>>,
) -> Result<Json<wire::Deployment>, Fault> {
    let control = shared.app.control.services()?;
    let mut keys = body.read("a service")?;
    let own = keys.entry("name").or_insert_with(|| Value::String(name.clone()));
    if own.as_str() != Some(&name) {
        let detail = format!("the path names service {name:?}, and the body another one; make them alike");
        return Err(Fault::bad_parameter(detail));
    }
    let by = caller.to_string();
    let deployed = control
        .deploy(&by, Value::Object(keys), query.expect, query.plan)
        .await?;
    Ok(Json(deployment(deployed)))
}

/// `DELETE /v1/services/{name}`
pub(super) async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    Segment(name): Segment,
    Params(query): Params<wire::ExpectQuery>,
) -> Result<Json<wire::Deployment>, Fault> {
    let control = shared.app.control.services()?;
    let removed = control.remove(&caller.to_string(), &name, query.expect).await?;
    Ok(Json(deployment(removed)))
}

/// `POST /v1/services/{name}/scale`
pub(super) async fn scale(
    State(shared): State<Shared>,
    caller: Caller,
    Segment(name): Segment,
    body: JsonBody<wire::ScaleService>,
) -> Result<Json<wire::Deployment>, Fault> {
    let control = shared.app.control.services()?;
    let wire::ScaleService {
        to,
        oldest_first,
        expect,
    } = body.read("a number of instances")?;
    let by = caller.to_string();
    let scaled = control.scale(&by, &name, &to, oldest_first, expect).await?;
    Ok(Json(deployment(scaled)))
}

/// `POST /v1/services/{name}/bump`
pub(super) async fn bump(
    State(shared): State<Shared>,
    caller: Caller,
    Segment(name): Segment,
    Params(query): Params<wire::DeployQuery>,
    body: OptionalBody<wire::BumpService>,
) -> Result<Json<wire::Deployment>, Fault> {
    let control = shared.app.control.services()?;
    let image = match body.read("an image for new instances")? {
        wire::BumpService { tag: None, image: None } => None,
        wire::BumpService {
            tag: Some(tag),
            image: None,
        } => Some(NewImage::Tag(tag)),
        wire::BumpService {
            tag: None,
            image: Some(image),
        } => Some(NewImage::Whole(image)),
        wire::BumpService {
            tag: Some(_),
            image: Some(_),
        } => {
            let detail = "the body has a tag and an image, which has a tag of its own; give one of them";
            return Err(Fault::new(StatusCode::BAD_REQUEST, "bad-body", detail));
        }
    };
    let by = caller.to_string();
    let bumped = control.bump(&by, &name, image, query.expect, query.plan).await?;
    Ok(Json(deployment(bumped)))
}

/// `POST /v1/services/{name}/rollback`
pub(super) async fn rollback(
    State(shared): State<Shared>,
    caller: Caller,
    Segment(name): Segment,
    body: JsonBody<wire::RollbackService>,
) -> Result<Json<wire::Deployment>, Fault> {
    let control = shared.app.control.services()?;
    let wire::RollbackService { version, expect } = body.read("a version to go back to")?;
    let back = control.rollback(&caller.to_string(), &name, version, expect).await?;
    Ok(Json(deployment(back)))
}

/// `POST /v1/services/{name}/pause`
pub(super) async fn pause(
    State(shared): State<Shared>,
    caller: Caller,
    Segment(name): Segment,
    Params(query): Params<wire::ExpectQuery>,
) -> Result<Json<wire::Deployment>, Fault> {
    let control = shared.app.control.services()?;
    let paused = control.pause(&caller.to_string(), &name, true, query.expect).await?;
    Ok(Json(deployment(paused)))
}

/// `POST /v1/services/{name}/resume`
pub(super) async fn resume(
    State(shared): State<Shared>,
    caller: Caller,
    Segment(name): Segment,
    Params(query): Params<wire::ExpectQuery>,
) -> Result<Json<wire::Deployment>, Fault> {
    let control = shared.app.control.services()?;
    let resumed = control.pause(&caller.to_string(), &name, false, query.expect).await?;
    Ok(Json(deployment(resumed)))
}

/// `GET /v1/endpoints`
pub(super) async fn endpoints(
    (State(shared), Extension(connection)): (State<Shared>, Extension<Connection>),
    Params(query): Params<wire::EndpointQuery>,
) -> Result<Json<wire::Endpoints>, Fault> {
    let control = shared.app.control.services()?;
    let _place = shared.place_if(query.index.is_some(), &connection)?;
    let endpoints = current(&shared, control.as_ref(), &query).await?;
    let service = query.service.as_deref();
    Ok(Json(endpoints_view(&endpoints, index_of(&endpoints, service), service)))
}

/// `GET /v1/operations`
pub(super) async fn operations(
    State(shared): State<Shared>,
    Params(query): Params<wire::OperationQuery>,
) -> Result<Json<wire::Page<wire::Operation>>, Fault> {
    let control = shared.app.control.services()?;
    let filter = OperationFilter {
        service: query.service,
        state: query.running.then_some(OperationState::Running),
        after: query.after,
        limit: limit(query.limit)?,
    };
    let page = control.operations(filter).await?;
    Ok(Json(wire::Page {
        items: page.items.into_iter().map(operation_view).collect(),
        next: page.next,
    }))
}

/// `GET /v1/operations/{id}`
pub(super) async fn operation(
    (State(shared), Extension(connection)): (State<Shared>, Extension<Connection>),
    Segment(id): Segment,
    Params(query): Params<wire::WaitQuery>,
) -> Result<Json<wire::Operation>, Fault> {
    let control = shared.app.control.services()?;
    let missing = || {
        let detail = format!("there is no operation {id:?}; GET /v1/operations lists those there are");
        Fault::new(StatusCode::NOT_FOUND, "no-such-operation", detail)
    };
    let number = id.parse().map_err(|_| missing())?;
    let _place = shared.place_if(query.wait.is_some(), &connection)?;
    if let Some(wait) = query.wait.as_deref() {
        let wait = waiting::limit(Some(wait))?;
        let ended = timeout(wait, control.ended(number));
        tokio::select! {
            ended = ended => if let Ok(ended) = ended {
                return ended?.map(|ended| Json(operation_view(ended))).ok_or_else(missing);
            },
            () = shared.draining.cancelled() => {}
        }
    }
    let found = control.operation(number).await?;
    found.map(|found| Json(operation_view(found))).ok_or_else(missing)
}

/// The snapshot that the request is for: another one than it names, if one comes in time.
async fn current(
    shared: &Shared,
    control: &dyn ServiceControl,
    query: &wire::EndpointQuery,
) -> Result<Arc<Endpoints>, Fault> {
    let mut endpoints = control.endpoints();
    let wait = waiting::limit(query.wait.as_deref())?;
    if let Some(index) = query.index {
        let another = endpoints.wait_for(|endpoints| index_of(endpoints, query.service.as_deref()) != index);
        tokio::select! {
            _ = timeout(wait, another) => {}
            () = shared.draining.cancelled() => {}
        }
    }
    Ok(endpoints.borrow().clone())
}

/// The number that a request about one service or all of them waits for.
fn index_of(endpoints: &Endpoints, service: Option<&str>) -> u64 {
    let of_service = service.and_then(|service| endpoints.services.get(service));
    of_service.map_or(endpoints.index, |service| service.index)
}

impl From<ServiceError> for Fault {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Wrong(faults) => Self::of_faults(
                "service-wrong",
                "the service is wrong, and nothing was changed; mend what `faults` names",
                &faults,
            ),
            ServiceError::Refused(reason) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", reason),
            ServiceError::Store(error) => error.into(),
        }
    }
}
