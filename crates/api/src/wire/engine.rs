use orchestrator_api_types as wire;

use super::IntoWire;
use crate::EngineView;

impl IntoWire for EngineView {
    type Wire = wire::Engine;

    fn into_wire(self) -> wire::Engine {
        let Self {
            name,
            host,
            kind,
            capabilities,
        } = self;
        wire::Engine {
            name,
            host,
            kind: kind.to_owned(),
            capabilities: capabilities.into_iter().map(str::to_owned).collect(),
        }
    }
}
