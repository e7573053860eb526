//! The helper that the tests of this process share, and plugins for it.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use orchestrator_lab::{Lab, Oci, TEST_IMAGE};
use orchestrator_plugin::{Container, ContainerSpec, Engine as Plugin, Found, FoundState, Id, Mark};
use orchestrator_plugin_oci::{OciEngine, OciSettings};

/// More than anything here should take, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A helper of a test's own, with the test image.
pub(crate) fn start() -> Oci {
    let start = || -> anyhow::Result<Oci> {
        let oci = Oci::start(&Lab::new()?, Path::new(env!("CARGO_BIN_EXE_orchestrator-oci")))?;
        oci.import_test_image()?;
        Ok(oci)
    };
    start().expect("a helper")
}

/// One helper for all tests of this process. It ends with the process.
pub(crate) fn shared() -> &'static Oci {
    static SHARED: OnceLock<Oci> = OnceLock::new();
    SHARED.get_or_init(start)
}

pub(crate) fn new_id() -> Id {
    Id::random().expect("the random source works")
}

/// A plugin for this site, whose helper listens there.
pub(crate) fn plugin_at(socket: &Path, mark: Mark) -> Arc<dyn Plugin> {
    let settings = OciSettings {
        socket: socket.to_owned(),
        timeout: PATIENCE,
        prepared: true,
        ..OciSettings::default()
    };
    Arc::new(OciEngine::new("oci", settings, mark))
}

/// A container of the test image that runs this script.
pub(crate) fn script(script: &str) -> ContainerSpec {
    ContainerSpec {
        image: TEST_IMAGE.to_owned(),
        hostname: "instance".to_owned(),
        command: ["sh", "-c", script].map(str::to_owned).into(),
        ..ContainerSpec::default()
    }
}

/// The process of a container that must run.
#[track_caller]
pub(crate) fn pid(found: &Found) -> u32 {
    match &found.state {
        FoundState::Running(running) => running.pid,
        other => panic!("{} should run and is {other:?}", found.key),
    }
}

/// Waits until the container is in a state that `is` accepts.
pub(crate) async fn until(engine: &dyn Plugin, container: &Container, is: impl Fn(&FoundState) -> bool) -> Found {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = engine.find(container).await.expect("the engine answers");
        let found = found.expect("the container is there");
        if is(&found.state) {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain, it is {:?}", found.state);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
