//! The fake as the subject of the conformance suite.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_conformance::{Act, Held, Program, Published, Subject, Tool};
use orchestrator_plugin::{Capabilities, Container, ContainerSpec, Credentials, Device, DeviceAccess, Engine, Mark};
use orchestrator_plugin_fake::{FakeEngine, FakeWorld, archive};

pub(crate) const IMAGE: &str = "image";

/// A fake with one image and a directory.
pub(crate) struct Fake {
    pub(crate) world: FakeWorld,
}

impl Fake {
    pub(crate) fn new(capabilities: Capabilities) -> Self {
        let world = FakeWorld::new(capabilities);
        world.add_image(IMAGE, None);
        world.add_directory("/srv/test", "greeting", "hello");
        Self { world }
    }
}

struct Gate(orchestrator_plugin_fake::Held);

#[async_trait]
impl Held for Gate {
    async fn arrived(&self) {
        self.0.arrived().await;
    }

    fn open(&self) {
        self.0.open();
    }

    async fn served(&self) {
        self.0.served().await;
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[async_trait]
impl Subject for Fake {
    fn engine(&self, mark: Mark) -> Arc<dyn Engine> {
        // What an earlier test of this world held is over.
        self.world.release();
        Arc::new(FakeEngine::new("fake", self.world.clone(), mark))
    }

    fn held(&self, mark: Mark, after: usize) -> (Arc<dyn Engine>, Box<dyn Held>) {
        let engine = self.engine(mark);
        (engine, Box::new(Gate(self.world.hold(after))))
    }

    fn image(&self) -> String {
        IMAGE.to_owned()
    }

    fn program(&self, program: &Program) -> Vec<String> {
        match program {
            Program::Run => Vec::new(),
            Program::Exit(code) => words(&["exit", &code.to_string()]),
            Program::Say(out, err) => words(&["say", out, err]),
            Program::Once => words(&["once"]),
        }
    }

    fn tool(&self, tool: &Tool) -> Vec<String> {
        match tool {
            Tool::Echo => words(&["echo"]),
            Tool::Exit(code) => words(&["exit", &code.to_string()]),
            Tool::Say(out, err) => words(&["say", out, err]),
            Tool::Show(path) => words(&["show", path]),
            Tool::Write(path, text) => words(&["write", path, text]),
            Tool::Exists(path) => words(&["exists", path]),
            Tool::Size => words(&["size"]),
        }
    }

    async fn act(&self, reference: &str, act: Act) {
        match act {
            Act::Kill => self.world.end(reference, 137),
            Act::Start => self.world.start(reference),
            Act::Pause => self.world.pause(reference),
            Act::Remove => self.world.remove(reference),
            Act::Rename(name) => self.world.rename(reference, &name),
        }
    }

    async fn add_stranger(&self, name: &str) -> String {
        self.world.add_stranger(name)
    }

    async fn add_created(&self, mark: Mark, container: &Container) -> String {
        self.world.add_created(mark, container, ContainerSpec::default())
    }

    async fn copy(&self, reference: &str) -> String {
        self.world.copy(reference).expect("it is there")
    }

    async fn has(&self, reference: &str) -> bool {
        self.world.has(reference)
    }

    async fn tag(&self, name: &str) {
        self.world.add_image(name, Some(IMAGE));
    }

    async fn untag(&self, name: &str) {
        self.world.remove_image(name);
    }

    async fn archive(&self, name: &str) -> Vec<u8> {
        archive(name, &self.world.id().to_string())
    }

    async fn publish(&self, name: &str) {
        self.world.add_image(name, None);
    }

    async fn published(&self) -> Option<Published> {
        let published = Published {
            reference: "registry.example/web:1".to_owned(),
            credentials: Credentials {
                user: "robot".to_owned(),
                password: "hunter2".to_owned(),
            },
        };
        self.world
            .publish_image(&published.reference, Some(published.credentials.clone()));
        Some(published)
    }

    async fn remove_volume(&self, _: &str) {}

    fn device(&self) -> Device {
        Device {
            source: "/dev/null".into(),
            target: "/dev/null".into(),
            access: DeviceAccess::Read,
        }
    }

    async fn directory(&self) -> PathBuf {
        "/srv/test".into()
    }

    async fn prepared(&self) -> PathBuf {
        "/run/netns/prepared".into()
    }

    fn network(&self) -> String {
        "network".to_owned()
    }

    fn tap(&self) -> String {
        "tap0".to_owned()
    }
}
