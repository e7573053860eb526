//! Lets a request through to its handler when its caller has the role that the route needs, and the path is within the
//! scope of its token.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use orchestrator_secrets::Granted;

use super::caller::Caller;
use super::connection::Connection;
use super::problem::Fault;
use super::role::Role;

/// Passes the request on with its caller. Answers with a problem if the caller lacks the role.
pub(super) async fn require(
    State(needed): State<Role>,
    Extension(connection): Extension<Connection>,
    mut request: Request,
    next: Next,
) -> Response {
    let granted = request.extensions_mut().remove::<Arc<Granted>>();
    let Some(caller) = connection.caller(needed, granted).await else {
        let detail = format!("this needs the role {needed}, and the peer has none; docs/api.md says who has which");
        return Fault::new(StatusCode::FORBIDDEN, "not-allowed", detail).into_response();
    };
    if !caller.role.includes(needed) {
        return lacks(&caller, needed).into_response();
    }
    if let Some(fault) = out_of_scope(&caller, &request) {
        return fault.into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

fn lacks(caller: &Caller, needed: Role) -> Fault {
    let detail = format!(
        "this needs the role {needed}, and {caller} is {} only; ask an admin to do it, or to give you that role as \
         docs/api.md says",
        caller.role
    );
    Fault::new(StatusCode::FORBIDDEN, "not-allowed", detail)
}

/// The problem of a request that is not within the scope of its caller's token.
fn out_of_scope(caller: &Caller, request: &Request) -> Option<Fault> {
    let scope = &caller.granted.as_ref()?.scope;
    let (method, path) = (request.method().as_str(), request.uri().path());
    if scope.allows(method, path) {
        return None;
    }
    let entries = scope.entries().join(", ");
    let detail =
        format!("{caller} is for {entries} only, and this is {method} {path}; an admin can make it another token");
    Some(Fault::new(StatusCode::FORBIDDEN, "out-of-scope", detail))
}
