//! The table of all routes. The router and the OpenAPI document are made from it alone.

mod clients;
mod daemon;
mod instances;
mod kv;
mod services;
mod templates;
mod tokens;

use axum::handler::Handler;
use axum::http::StatusCode;

use super::describe::Described;
use super::role::Role;
use super::route::{Route, Verb};
use super::routes::Shared;

const CONFLICT: StatusCode = StatusCode::CONFLICT;
const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;
const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
const UNPROCESSABLE: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

/// How a question about the policy of somebody is refused.
const REFUSED_POLICY: [(StatusCode, &str); 5] = [
    (UNPROCESSABLE, "refused"),
    (NOT_FOUND, "no-such-client"),
    (NOT_FOUND, "no-such-instance"),
    (CONFLICT, "ambiguous-id"),
    (UNAVAILABLE, "starting"),
];

/// Every route, in the order of the document.
pub(super) fn table() -> Vec<Route> {
    [
        daemon::about_the_daemon(),
        clients::about_clients(),
        instances::about_instances(),
        instances::about_what_runs(),
        clients::about_reservations(),
        templates::about_volumes(),
        templates::about_templates(),
        templates::about_images(),
        daemon::about_settings(),
        tokens::about_tokens(),
        kv::about_kv(),
        services::about_services(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn get<H: Handler<T, Shared> + Described<I, O>, T: 'static, I, O>(path: &'static str, role: Role, handler: H) -> Route {
    Route::new(Verb::Get, path, role, handler)
}

fn post<H: Handler<T, Shared> + Described<I, O>, T: 'static, I, O>(
    path: &'static str,
    role: Role,
    handler: H,
) -> Route {
    Route::new(Verb::Post, path, role, handler)
}

fn put<H: Handler<T, Shared> + Described<I, O>, T: 'static, I, O>(path: &'static str, role: Role, handler: H) -> Route {
    Route::new(Verb::Put, path, role, handler)
}

fn delete<H: Handler<T, Shared> + Described<I, O>, T: 'static, I, O>(
    path: &'static str,
    role: Role,
    handler: H,
) -> Route {
    Route::new(Verb::Delete, path, role, handler)
}
