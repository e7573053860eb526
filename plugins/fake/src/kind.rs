//! The fake as a kind of engine, for settings of tests.

use std::sync::Arc;

use orchestrator_plugin::{Engine, EngineKind, EngineSettings, Mark, SettingsSection};

use crate::{FakeEngine, FakeWorld};

/// The kind `fake`: all engines of one such kind are one world.
#[derive(Debug, Clone, Default)]
pub struct FakeKind {
    /// The far side of its engines.
    pub world: FakeWorld,
}

/// The settings of a fake engine. It has none but its world.
#[derive(Debug, Clone, Default)]
pub struct FakeSettings {
    /// The far side.
    pub world: FakeWorld,
}

impl EngineKind for FakeKind {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn read(&self, _: &mut dyn SettingsSection) -> Arc<dyn EngineSettings> {
        Arc::new(FakeSettings {
            world: self.world.clone(),
        })
    }
}

impl EngineSettings for FakeSettings {
    fn values(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn build(&self, name: &str, mark: Mark) -> Arc<dyn Engine> {
        Arc::new(FakeEngine::new(name, self.world.clone(), mark))
    }
}
