//! Lets a request through to its handler when its caller has the role that the route needs.

use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

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
    let Some(caller) = connection.caller(needed).await else {
        let detail = format!("this needs the role {needed}, and the peer has none; docs/api.md says who has which");
        return Fault::new(StatusCode::FORBIDDEN, "not-allowed", detail).into_response();
    };
    if caller.role < needed {
        return lacks(&caller, needed).into_response();
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
