use orchestrator_api_types as wire;
use orchestrator_settings::Change;

use super::IntoWire;
use crate::settings::{ReloadOutcome, Reloaded, SettingsView};

impl IntoWire for SettingsView {
    type Wire = wire::SettingsView;

    fn into_wire(self) -> wire::SettingsView {
        let Self {
            file,
            loaded,
            last_reload,
            pending,
            faults,
        } = self;
        wire::SettingsView {
            file,
            loaded,
            last_reload: last_reload.map(IntoWire::into_wire),
            pending: pending.into_wire(),
            faults,
        }
    }
}

impl IntoWire for ReloadOutcome {
    type Wire = wire::ReloadOutcome;

    fn into_wire(self) -> wire::ReloadOutcome {
        let Self { at, ok, faults } = self;
        wire::ReloadOutcome { at, ok, faults }
    }
}

impl IntoWire for Reloaded {
    type Wire = wire::Reloaded;

    fn into_wire(self) -> wire::Reloaded {
        let Self { loaded, changes } = self;
        wire::Reloaded {
            loaded,
            changes: changes.into_wire(),
        }
    }
}

impl IntoWire for Change {
    type Wire = wire::Change;

    fn into_wire(self) -> wire::Change {
        let Self { key, effect } = self;
        wire::Change {
            key,
            effect: effect.into_wire(),
        }
    }
}
