use orchestrator_api_types as wire;
use orchestrator_model::{
    BindingState, PolicyBinding, PolicyDecision, PolicyDrop, PolicyLink, PolicyRule, PolicySubject, PolicyView,
};

use super::IntoWire;

impl IntoWire for PolicyView {
    type Wire = wire::PolicyView;

    fn into_wire(self) -> wire::PolicyView {
        let Self {
            subject,
            fault,
            links,
            bindings,
            rules,
            drops,
            uncounted,
            decision,
        } = self;
        let (client, instance) = match subject {
            PolicySubject::Client(id) => (Some(id), None),
            PolicySubject::Instance(id) => (None, Some(id)),
        };
        wire::PolicyView {
            client,
            instance,
            fault,
            links: links.into_wire(),
            bindings: bindings.into_wire(),
            rules: rules.into_wire(),
            drops: drops.into_wire(),
            uncounted,
            decision: decision.map(IntoWire::into_wire),
        }
    }
}

impl IntoWire for PolicyLink {
    type Wire = wire::PolicyLink;

    fn into_wire(self) -> wire::PolicyLink {
        let Self {
            link,
            isolation,
            enforce,
        } = self;
        wire::PolicyLink {
            link,
            isolation,
            enforce,
        }
    }
}

impl IntoWire for PolicyBinding {
    type Wire = wire::PolicyBinding;

    fn into_wire(self) -> wire::PolicyBinding {
        let Self {
            link,
            prefix,
            link_layer,
            port,
            learnt,
            why,
            since,
            state,
        } = self;
        let (state, held_by) = match state {
            BindingState::InForce => (wire::BindingState::InForce, None),
            BindingState::Pending => (wire::BindingState::Pending, None),
            BindingState::HeldBy(owner) => (wire::BindingState::Held, Some(owner.into_wire())),
        };
        wire::PolicyBinding {
            link,
            prefix,
            link_layer: link_layer.to_string(),
            port,
            learnt: learnt.into_wire(),
            why,
            since,
            state,
            held_by,
        }
    }
}

impl IntoWire for PolicyRule {
    type Wire = wire::PolicyRule;

    fn into_wire(self) -> wire::PolicyRule {
        let Self {
            direction,
            with,
            instance,
            prefix,
            ports,
            allowed,
            why,
        } = self;
        wire::PolicyRule {
            direction: direction.into_wire(),
            with,
            instance,
            prefix,
            ports: ports.map(|ports| ports.to_string()),
            allowed,
            why,
        }
    }
}

impl IntoWire for PolicyDrop {
    type Wire = wire::PolicyDrop;

    fn into_wire(self) -> wire::PolicyDrop {
        let Self {
            cause,
            meaning,
            packets,
            bytes,
        } = self;
        wire::PolicyDrop {
            cause: cause.to_owned(),
            meaning: meaning.to_owned(),
            packets,
            bytes,
        }
    }
}

impl IntoWire for PolicyDecision {
    type Wire = wire::PolicyDecision;

    fn into_wire(self) -> wire::PolicyDecision {
        let Self {
            to,
            address,
            ports,
            verdict,
            cause,
            why,
        } = self;
        wire::PolicyDecision {
            to,
            address,
            ports: ports.map(|ports| ports.to_string()),
            verdict: verdict.into_wire(),
            cause: cause.map(str::to_owned),
            why,
        }
    }
}
