//! The kinds of engines that are built into the program. A new kind is a crate under `plugins/` and a line here.

use orchestrator_plugin::EngineKind;
use orchestrator_plugin_docker::{DockerKind, PodmanKind};
use orchestrator_plugin_exec::ExecKind;
use orchestrator_plugin_oci::OciKind;

/// Every kind, by the word that settings have for it. The first is what an engine is when the settings name none.
pub const KINDS: &[&dyn EngineKind] = &[&DockerKind, &PodmanKind, &OciKind, &ExecKind];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::KINDS;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let names: BTreeSet<_> = KINDS.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), KINDS.len());
        assert!(!KINDS.is_empty());
    }
}
