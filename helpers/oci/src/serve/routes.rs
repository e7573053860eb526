//! Which request is answered by what.

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use orchestrator_plugin_oci::protocol::{
    EnsureRequest, EnvironmentRequest, Facts, Fault, ImageRequest, LayersRequest, SiteRequest, TargetRequest, VERSION,
    Verb, Version,
};
use serde_json::Value;

use super::answer::{Answer, carried_out};
use super::{exec, streams};
use crate::engine::{Act, ByHand, Helper};

/// Bytes of the largest request; the files of a container are part of one.
const LARGEST: usize = 64 << 20;

type Engine = State<Helper>;

pub(super) fn routes(helper: Helper) -> Router {
    let archives = Router::new()
        .route("/v1/files/write", post(streams::write_files))
        .route("/v1/images/load", post(streams::load_images))
        .layer(DefaultBodyLimit::disable());
    Router::new()
        .route("/version", get(version))
        .route("/v1/equipment", post(equipment))
        .route("/v1/image", post(image))
        .route("/v1/images", post(images))
        .route("/v1/images/remove", post(remove_image))
        .route("/v1/layers", post(layers))
        .route("/v1/ensure", post(ensure))
        .route("/v1/ensure/early", post(streams::ensure_early))
        .route("/v1/stop", post(stop))
        .route("/v1/find", post(find))
        .route("/v1/remove", post(remove))
        .route("/v1/list", post(list))
        .route("/v1/environment", post(environment))
        .route("/v1/stats", post(stats))
        .route("/v1/disk", post(disk))
        .route("/v1/pause", post(pause))
        .route("/v1/watch", post(streams::watch))
        .route("/v1/logs", post(streams::logs))
        .route("/v1/files/read", post(streams::read_files))
        .route("/v1/exec", post(exec::exec))
        .route("/v1/by-hand", get(all).post(create_by_hand))
        .route("/v1/by-hand/{reference}", get(has).post(act))
        .layer(DefaultBodyLimit::max(LARGEST))
        .merge(archives)
        .with_state(helper)
}

async fn version(State(helper): Engine) -> Json<Version> {
    // A helper without its runtime can still be asked what it lacks.
    let runtime = helper
        .recent_runtime_version()
        .await
        .unwrap_or_else(|error| format!("no runtime ({error})"));
    Json(Version {
        helper: env!("CARGO_PKG_VERSION").to_owned(),
        runtime,
        protocols: vec![VERSION],
    })
}

async fn equipment(State(helper): Engine) -> Answer<Facts> {
    carried_out(async move {
        helper.runtime_version().await.map_err(|error| {
            let reason = format!("cannot run it: {error}; install runc, or set --runtime");
            Fault::failed(Verb::Check, "the runtime", reason)
        })?;
        Ok(Facts {
            cgroups: helper.cgroup_kind().to_owned(),
        })
    })
    .await
}

async fn image(State(helper): Engine, Json(request): Json<ImageRequest>) -> Answer<impl serde::Serialize> {
    carried_out(async move { helper.check_image(&request.image).await }).await
}

async fn images(State(helper): Engine) -> Json<impl serde::Serialize> {
    Json(helper.images())
}

async fn layers(State(helper): Engine, Json(request): Json<LayersRequest>) -> Answer<Vec<String>> {
    carried_out(async move { helper.layers(&request.layers) }).await
}

async fn remove_image(State(helper): Engine, Json(request): Json<ImageRequest>) -> Answer<()> {
    carried_out(async move { helper.remove_image(&request.image).await }).await
}

async fn ensure(State(helper): Engine, Json(request): Json<EnsureRequest>) -> Answer<impl serde::Serialize> {
    carried_out(async move { helper.ensure(request, None).await }).await
}

async fn stop(State(helper): Engine, Json(request): Json<TargetRequest>) -> Answer<()> {
    carried_out(async move { helper.stop(&request).await }).await
}

async fn find(State(helper): Engine, Json(request): Json<TargetRequest>) -> Json<impl serde::Serialize> {
    Json(helper.find(&request))
}

async fn remove(State(helper): Engine, Json(request): Json<TargetRequest>) -> Answer<()> {
    carried_out(async move { helper.remove(&request).await }).await
}

async fn list(State(helper): Engine, Json(request): Json<SiteRequest>) -> Json<impl serde::Serialize> {
    Json(helper.list(request.site))
}

async fn environment(State(helper): Engine, Json(request): Json<EnvironmentRequest>) -> Json<impl serde::Serialize> {
    Json(helper.environment(&request))
}

async fn disk(State(helper): Engine, Json(request): Json<TargetRequest>) -> Answer<impl serde::Serialize> {
    carried_out(async move { helper.disk(&request).await }).await
}

async fn stats(State(helper): Engine, Json(request): Json<TargetRequest>) -> Answer<impl serde::Serialize> {
    carried_out(async move { helper.stats(&request).await }).await
}

async fn pause(State(helper): Engine, Json(request): Json<TargetRequest>) -> Answer<()> {
    carried_out(async move { helper.pause(&request).await }).await
}

async fn all(State(helper): Engine) -> Json<impl serde::Serialize> {
    Json(helper.all())
}

async fn create_by_hand(State(helper): Engine, Json(request): Json<ByHand>) -> Answer<String> {
    carried_out(async move { helper.create_by_hand(request).await }).await
}

async fn act(State(helper): Engine, Path(reference): Path<String>, Json(act): Json<Act>) -> Answer<String> {
    carried_out(async move { helper.act(&reference, act).await }).await
}

async fn has(State(helper): Engine, Path(reference): Path<String>) -> Json<Value> {
    Json(Value::Bool(helper.has(&reference)))
}
