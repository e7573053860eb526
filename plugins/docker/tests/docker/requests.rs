//! The number of requests that each verb makes.

use orchestrator_lab::Engine;
use orchestrator_plugin::{Container, ContainerSpec, Engine as _, File, FileContent, Mark, NetworkMode};
use orchestrator_plugin_docker::{DockerEngine, DockerSettings};

use crate::meter::Meter;
use crate::support::{PATIENCE, new_id, spec};

/// The API's paths of a search by the mark and a look-up of the image.
const SEARCH: &[&str] = &["/containers/json", "/images/"];

fn plugin_behind(meter: &Meter) -> DockerEngine {
    let settings = DockerSettings {
        host: meter.url().parse().unwrap(),
        timeout: PATIENCE,
        ..DockerSettings::default()
    };
    DockerEngine::new("docker", settings, Mark { site: new_id() })
}

#[tokio::test]
async fn a_fresh_instance_costs_five_requests_of_which_four_in_a_row() {
    let meter = Meter::before(Engine::shared(), SEARCH);
    let (plugin, container) = (plugin_behind(&meter), Container::main(new_id()));
    plugin
        .ensure(&container, &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    let (requests, row) = meter.read();
    assert_eq!((requests.len(), row), (5, 4), "{requests:#?}");
    plugin.remove(&container).await.unwrap();
}

#[tokio::test]
async fn an_image_that_is_named_by_its_id_is_not_asked_for() {
    let meter = Meter::before(Engine::shared(), &[]);
    let (plugin, container) = (plugin_behind(&meter), Container::main(new_id()));
    let pinned = ContainerSpec {
        image: plugin.check_image(&spec().image).await.unwrap().id,
        ..spec()
    };
    meter.read();
    plugin
        .ensure(&container, &pinned, &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    let (requests, _) = meter.read();
    assert_eq!(requests.len(), 4, "{requests:#?}");
    assert!(
        requests.iter().all(|request| !request.contains("/images/")),
        "{requests:#?}"
    );
    plugin.remove(&container).await.unwrap();
}

#[tokio::test]
async fn files_cost_one_request_more_however_many_there_are() {
    let meter = Meter::before(Engine::shared(), SEARCH);
    let (plugin, container) = (plugin_behind(&meter), Container::main(new_id()));
    let file = |target: &str| File {
        target: target.into(),
        content: FileContent::Text("x".to_owned()),
        mode: File::default_mode(),
        uid: 0,
        gid: 0,
    };
    let with_files = ContainerSpec {
        files: vec![file("/etc/one"), file("/etc/two")],
        ..spec()
    };
    plugin
        .ensure(&container, &with_files, &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    let (requests, row) = meter.read();
    assert_eq!((requests.len(), row), (6, 5), "{requests:#?}");
    plugin.remove(&container).await.unwrap();
}

#[tokio::test]
async fn what_is_recorded_costs_one_request_to_find_and_to_keep_running() {
    let meter = Meter::before(Engine::shared(), &[]);
    let (plugin, container) = (plugin_behind(&meter), Container::main(new_id()));
    let made = plugin
        .ensure(&container, &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    meter.read();
    let recorded = made.container();
    assert_eq!(plugin.find(&recorded).await.unwrap().as_ref(), Some(&made));
    assert_eq!(meter.read().0.len(), 1, "find");
    let kept = plugin.ensure(&recorded, &spec(), &NetworkMode::EngineNamespace).await;
    assert_eq!(kept.unwrap(), made);
    assert_eq!(meter.read().0.len(), 1, "ensure");
    assert_eq!(plugin.find(&container).await.unwrap(), Some(made), "by its name");
    assert_eq!(meter.read().0.len(), 1, "find what was not recorded");
    plugin.stop(&recorded).await.unwrap();
    assert_eq!(meter.read().0.len(), 2, "stop");
    plugin.remove(&recorded).await.unwrap();
    assert_eq!(meter.read().0.len(), 2, "remove");
}
