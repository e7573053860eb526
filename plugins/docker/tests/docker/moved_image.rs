//! An image's name that is given to another image while a container is created from it.

use orchestrator_lab::{Engine, TEST_IMAGE};
use orchestrator_plugin::{Container, ContainerSpec, Engine as _, Mark, NetworkMode};

use crate::gate::Gate;
use crate::support::{PATIENCE, by_hand, commit, forget, name, new_id, plugin, plugin_behind, spec, tag};

#[tokio::test]
async fn a_container_of_a_moved_image_name_outlives_no_removal_and_blocks_no_instance() {
    let (engine, mark, id) = (Engine::shared(), Mark { site: new_id() }, new_id());
    let image = format!("moved-{id}");
    tag(engine, TEST_IMAGE, &image);
    let of_it = ContainerSpec {
        image: image.clone(),
        ..spec()
    };
    let gate = Gate::before(engine, "/containers/create");
    let docker = plugin_behind(&gate, mark, PATIENCE);
    let ensure = tokio::spawn({
        let (docker, of_it) = (docker.clone(), of_it.clone());
        async move {
            docker
                .ensure(&Container::main(id), &of_it, &NetworkMode::EngineNamespace)
                .await
        }
    });
    gate.arrived.notified().await;
    // The step is dropped while the engine creates the container.
    ensure.abort();
    let _ = ensure.await;
    // Somebody builds a new image of that name meanwhile.
    let (other, source) = (plugin(engine), new_id());
    let made = other
        .ensure(&Container::main(source), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    commit(engine, &made.reference, &image);
    other.remove(&Container::main(source)).await.unwrap();
    gate.pass.add_permits(16);
    gate.served.notified().await;
    docker.remove(&Container::main(id)).await.unwrap();
    let path = format!("/containers/{}/json", name(&id));
    let left = engine.api("GET", &path, None).unwrap().status;
    let again = docker
        .ensure(&Container::main(id), &of_it, &NetworkMode::EngineNamespace)
        .await;
    by_hand(engine, "DELETE", &format!("/containers/{}?force=true", name(&id)));
    forget(engine, &image);
    assert_eq!(
        (left, again.map(drop).map_err(|error| error.to_string())),
        (404, Ok(()))
    );
}
