//! Engines that do not do as they must: the suite notices each.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_conformance::{
    Act, Held, Program, Subject, Tool, capabilities, lifecycle, marks, sessions, several, watch,
};
use orchestrator_plugin::{
    Capabilities, Capability, Change, Container, ContainerKey, ContainerSpec, Device, Engine, EngineError, EngineFacts,
    ExecRequest, ExecSession, Found, ImageFacts, Mark, NetworkMode,
};
use tokio::sync::mpsc;

use crate::subject::Fake;

/// The flaw of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// It takes any container with our mark for the recorded one.
    ForgetsReferences,
    /// It says that it can do all.
    ClaimsAll,
    /// It says that it can do next to nothing, and does all.
    ServesWhatItDoesNotClaim,
    /// It does not say when its watch began.
    BeginsWatchesInSilence,
    /// It knows only the first container of an instance.
    KnowsOneContainer,
    /// It finds what it removed.
    RemovesNothing,
}

struct Flawed {
    engine: Arc<dyn Engine>,
    flaw: Flaw,
}

impl Flawed {
    fn known(&self, container: &Container) -> Container {
        match self.flaw {
            Flaw::ForgetsReferences => container.key.clone().into(),
            Flaw::KnowsOneContainer => ContainerKey::main(container.key.instance).into(),
            _ => container.clone(),
        }
    }
}

#[async_trait]
impl Engine for Flawed {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn capabilities(&self) -> Capabilities {
        match self.flaw {
            Flaw::ClaimsAll => Capabilities::all(),
            Flaw::ServesWhatItDoesNotClaim => Capability::EngineNamespace.into(),
            _ => self.engine.capabilities(),
        }
    }

    async fn check(&self) -> Result<EngineFacts, EngineError> {
        self.engine.check().await
    }

    async fn check_equipment(&self) -> Result<(), EngineError> {
        self.engine.check_equipment().await
    }

    async fn check_image(&self, image: &str) -> Result<ImageFacts, EngineError> {
        self.engine.check_image(image).await
    }

    async fn ensure(
        &self,
        container: &Container,
        spec: &ContainerSpec,
        network: &NetworkMode,
    ) -> Result<Found, EngineError> {
        self.engine.ensure(&self.known(container), spec, network).await
    }

    async fn stop(&self, container: &Container) -> Result<(), EngineError> {
        self.engine.stop(&self.known(container)).await
    }

    async fn find(&self, container: &Container) -> Result<Option<Found>, EngineError> {
        self.engine.find(&self.known(container)).await
    }

    async fn remove(&self, container: &Container) -> Result<(), EngineError> {
        match self.flaw {
            Flaw::RemovesNothing => Ok(()),
            _ => self.engine.remove(&self.known(container)).await,
        }
    }

    async fn list(&self) -> Result<Vec<Found>, EngineError> {
        self.engine.list().await
    }

    async fn watch(&self, changes: mpsc::Sender<Change>) -> EngineError {
        if self.flaw != Flaw::BeginsWatchesInSilence {
            return self.engine.watch(changes).await;
        }
        let (sender, mut receiver) = mpsc::channel(16);
        let pass_on = async {
            while let Some(change) = receiver.recv().await {
                if change != Change::Everything && changes.send(change).await.is_err() {
                    break;
                }
            }
        };
        let (fault, ()) = tokio::join!(self.engine.watch(sender), pass_on);
        fault
    }

    async fn environment(
        &self,
        container: &Container,
        prefix: &str,
    ) -> Result<Option<BTreeMap<String, String>>, EngineError> {
        self.engine.environment(container, prefix).await
    }

    async fn exec(&self, container: &Container, request: &ExecRequest) -> Result<ExecSession, EngineError> {
        self.engine.exec(container, request).await
    }
}

/// A fake with a flaw.
struct FlawedFake {
    fake: Fake,
    flaw: Flaw,
}

fn flawed(flaw: Flaw) -> FlawedFake {
    let can = match flaw {
        Flaw::ClaimsAll => Capability::EngineNamespace.into(),
        _ => Capabilities::all(),
    };
    FlawedFake {
        fake: Fake::new(can),
        flaw,
    }
}

#[async_trait]
impl Subject for FlawedFake {
    fn engine(&self, mark: Mark) -> Arc<dyn Engine> {
        Arc::new(Flawed {
            engine: self.fake.engine(mark),
            flaw: self.flaw,
        })
    }

    fn held(&self, mark: Mark, after: usize) -> (Arc<dyn Engine>, Box<dyn Held>) {
        self.fake.held(mark, after)
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

    async fn remove_volume(&self, name: &str) {
        self.fake.remove_volume(name).await;
    }

    fn device(&self) -> Device {
        self.fake.device()
    }

    async fn directory(&self) -> PathBuf {
        self.fake.directory().await
    }
}

/// The test of the suite must fail on an engine with this flaw.
macro_rules! notices {
    ($name:ident: $flaw:expr => $test:path) => {
        #[tokio::test(start_paused = true)]
        async fn $name() {
            let subject = flawed($flaw);
            let test = tokio::spawn(async move { $test(&subject).await });
            assert!(test.await.is_err(), "nobody noticed {:?}", $flaw);
        }
    };
}

notices!(a_copy_that_is_taken_for_ours: Flaw::ForgetsReferences => marks::a_copy_alone_is_neither_found_nor_removed_nor_started);
notices!(a_claim_that_is_not_kept: Flaw::ClaimsAll => sessions::a_command_runs_with_input_output_and_exit_code);
notices!(a_service_that_was_not_claimed: Flaw::ServesWhatItDoesNotClaim => capabilities::what_the_engine_cannot_do_is_refused_and_nothing_is_left);
notices!(a_watch_that_begins_in_silence: Flaw::BeginsWatchesInSilence => watch::a_removal_by_hand_is_reported);
notices!(containers_that_are_taken_for_one: Flaw::KnowsOneContainer => several::containers_of_one_instance_are_kept_apart);
notices!(a_removal_that_removes_nothing: Flaw::RemovesNothing => lifecycle::a_container_is_made_found_listed_and_removed);
