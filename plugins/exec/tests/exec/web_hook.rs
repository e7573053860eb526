//! The example that calls a web hook, with an engine in memory behind the hook.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_conformance::{Act, Held, Need, Program, Published, Subject, Tool};
use orchestrator_plugin::{Capabilities, Capability, Container, Device, Engine, Id, Mark, Remedy};
use orchestrator_plugin_exec::{ExecEngine, ExecSettings};

use crate::fake::Fake;
use crate::hook::Hook;

/// The example.
fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/engines/web-hook")
}

fn settings(url: String) -> ExecSettings {
    ExecSettings {
        arguments: vec![url],
        timeout: Duration::from_secs(60),
        poll: Duration::from_millis(100),
        ..ExecSettings::of(program())
    }
}

/// The fake, with an executable and a web hook before it.
struct Hooked {
    fake: Fake,
    engine: ExecEngine,
    _hook: Hook,
}

impl Hooked {
    async fn new(capabilities: Capabilities) -> Self {
        let fake = Fake::new(capabilities);
        let hook = Hook::start(fake.world.clone()).await;
        let mark = Mark {
            site: Id::random().unwrap(),
        };
        let engine = ExecEngine::new("fake", settings(hook.url()), mark);
        engine.learn_capabilities().await.expect("the hook answers");
        Self {
            fake,
            engine,
            _hook: hook,
        }
    }
}

#[async_trait]
impl Subject for Hooked {
    fn engine(&self, mark: Mark) -> Arc<dyn Engine> {
        self.fake.world.release();
        Arc::new(self.engine.for_site(mark))
    }

    fn held(&self, mark: Mark, after: usize) -> (Arc<dyn Engine>, Box<dyn Held>) {
        let (_, held) = self.fake.held(mark, after);
        (Arc::new(self.engine.for_site(mark)), held)
    }

    fn lends(&self, need: Need) -> bool {
        self.fake.lends(need)
    }

    fn image(&self) -> String {
        self.fake.image()
    }

    fn program(&self, program: &Program) -> Vec<String> {
        self.fake.program(program)
    }

    fn tool(&self, tool: &Tool) -> Vec<String> {
        self.fake.tool(tool)
    }

    async fn act(&self, reference: &str, act: Act) {
        self.fake.act(reference, act).await;
    }

    async fn add_stranger(&self, name: &str) -> String {
        self.fake.add_stranger(name).await
    }

    async fn add_created(&self, mark: Mark, container: &Container) -> String {
        self.fake.add_created(mark, container).await
    }

    async fn copy(&self, reference: &str) -> String {
        self.fake.copy(reference).await
    }

    async fn has(&self, reference: &str) -> bool {
        self.fake.has(reference).await
    }

    async fn tag(&self, name: &str) {
        self.fake.tag(name).await;
    }

    async fn untag(&self, name: &str) {
        self.fake.untag(name).await;
    }

    async fn archive(&self, name: &str) -> Vec<u8> {
        self.fake.archive(name).await
    }

    async fn publish(&self, name: &str) {
        self.fake.publish(name).await;
    }

    async fn published(&self) -> Option<Published> {
        self.fake.published().await
    }

    async fn remove_volume(&self, name: &str) {
        self.fake.remove_volume(name).await;
    }

    fn device(&self) -> Device {
        self.fake.device()
    }

    async fn directory(&self) -> PathBuf {
        self.fake.directory().await
    }

    async fn prepared(&self) -> PathBuf {
        self.fake.prepared().await
    }

    fn network(&self) -> String {
        self.fake.network()
    }

    fn tap(&self) -> String {
        self.fake.tap()
    }
}

mod before_an_engine_that_can_do_all {
    use orchestrator_plugin::Capabilities;

    use super::Hooked;

    orchestrator_conformance::suite!(Hooked::new(Capabilities::all()).await);
}

mod before_an_engine_that_can_do_the_least {
    use orchestrator_plugin::Capability;

    use super::Hooked;

    orchestrator_conformance::suite!(Hooked::new(Capability::EngineNamespace.into()).await);
}

#[tokio::test]
async fn what_the_protocol_has_no_room_for_is_no_capability() {
    let hooked = Hooked::new(Capabilities::all()).await;
    let capabilities = hooked.engine.capabilities();
    assert!(capabilities.has(Capability::Tap) && !capabilities.has(Capability::Exec));
}

#[tokio::test]
async fn a_hook_that_does_not_answer_is_no_fault_of_the_instance() {
    let hook = Hook::start(Fake::new(Capabilities::all()).world).await;
    let url = hook.url();
    drop(hook);
    let mark = Mark {
        site: Id::random().unwrap(),
    };
    let fault = ExecEngine::new("hook", settings(url), mark).check().await.unwrap_err();
    assert_eq!((fault.code(), fault.remedy()), ("engine-unavailable", Remedy::Engine));
}
