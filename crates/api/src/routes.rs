//! The router, made from the table of routes.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::passage::{Face, Passage, pass};
use super::problem::Fault;
use super::route::Route;
use super::table::table;
use super::{App, hooks};

/// The state that handlers share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) app: App,
    /// Cancelled when the daemon stops. Streams, which have no end of their own, end then.
    pub(super) draining: CancellationToken,
    /// A permit for each stream of events and each read that blocks.
    pub(super) streams: Arc<Semaphore>,
    /// Whether a peer may have only as many of them as are still free. So some are always left for peers that have few,
    /// also when many peers take all that they can get.
    pub(super) leaves_some: bool,
}

impl Shared {
    /// The permits of a stream, which it holds until it ends.
    pub(super) fn stream_permits(&self, connection: &Connection) -> Result<[OwnedSemaphorePermit; 2], Fault> {
        let is_fair = !self.leaves_some || connection.share.open_streams() < self.streams.available_permits();
        let own = connection.share.streams.clone().try_acquire_owned();
        let any = self.streams.clone().try_acquire_owned();
        match (own, any) {
            (Ok(own), Ok(any)) if is_fair => Ok([own, any]),
            _ => {
                let detail = "too many streams or blocking reads are open; close one, or ask without waiting";
                Err(Fault::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-streams", detail))
            }
        }
    }

    /// The place of a read that blocks if `blocks` is set. It is held until the answer is there: such a read has no turn.
    pub(super) fn place_if(
        &self,
        blocks: bool,
        connection: &Connection,
    ) -> Result<Option<[OwnedSemaphorePermit; 2]>, Fault> {
        blocks.then(|| self.stream_permits(connection)).transpose()
    }
}

/// All routes, with the checks of the passage before them.
pub(super) fn build(shared: &Shared, passage: Passage) -> Router {
    let face = passage.face;
    bare(shared, face).layer(from_fn_with_state(passage, pass))
}

/// All routes, with the check of the caller's role only.
pub(super) fn bare(shared: &Shared, face: Face) -> Router {
    router(table(), face).with_state(shared.clone())
}

fn router(routes: Vec<Route>, face: Face) -> Router<Shared> {
    let mut paths: BTreeMap<&str, MethodRouter<Shared>> = BTreeMap::new();
    for route in routes {
        let handler = match (face, route.unix_only) {
            (Face::Tcp, true) => axum::routing::on(route.verb.filter(), hooks::unix_only),
            _ => route.handler,
        };
        let others = paths.remove(route.path).unwrap_or_default();
        paths.insert(route.path, others.merge(handler));
    }
    let mut router = Router::new();
    for (path, handlers) in paths {
        router = router.route(path, handlers);
    }
    router
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
}

async fn no_such_path(uri: Uri) -> Fault {
    Fault::not_found(uri.path())
}

async fn no_such_method(method: Method, uri: Uri) -> Fault {
    let detail = format!(
        "{} cannot be asked to {method}; the Allow header says what it can",
        uri.path()
    );
    Fault::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}
