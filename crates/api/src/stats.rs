//! What instances use of their machine.

use axum::Json;
use axum::extract::State;
use orchestrator_api_types as wire;

use super::exec::container_of;
use super::params::Segment;
use super::problem::Fault;
use super::routes::Shared;
use super::view::View;

/// `GET /v1/instances/{id}/stats`
pub(super) async fn show(
    State(shared): State<Shared>,
    view: View,
    Segment(id): Segment,
) -> Result<Json<wire::InstanceStats>, Fault> {
    let control = shared.app.control.runs()?;
    let instance = view.instance(&id).await?.instance;
    // One that is gone is refused.
    container_of(&instance, None)?;
    let mut containers = Vec::with_capacity(instance.containers.len());
    for container in &instance.containers {
        let stats = control.stats(&instance, container).await?;
        containers.push(wire::ContainerStats {
            container: container.name.clone(),
            cpu_nanoseconds: u64::try_from(stats.cpu.as_nanos()).unwrap_or(u64::MAX),
            memory: stats.memory,
            pids: stats.pids,
        });
    }
    Ok(Json(wire::InstanceStats {
        id: instance.id,
        at: shared.app.control.now(),
        containers,
    }))
}
