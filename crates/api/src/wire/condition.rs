use orchestrator_api_types as wire;
use orchestrator_runtime::conditions::Condition;

use super::IntoWire;

impl IntoWire for Condition {
    type Wire = wire::Condition;

    fn into_wire(self) -> wire::Condition {
        let Self {
            name,
            ok,
            needed,
            reason,
            since,
        } = self;
        wire::Condition {
            name,
            ok,
            needed,
            reason,
            since,
        }
    }
}
