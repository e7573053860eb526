use orchestrator_api_types as wire;
use orchestrator_model::{HostUse, LimitsView, LinkUse, Pause, PauseScope, SlotKey, Used, WaitingView};

use super::IntoWire;

impl IntoWire for Used {
    type Wire = wire::Used;

    fn into_wire(self) -> wire::Used {
        let Self { used, limit } = self;
        wire::Used { used, limit }
    }
}

impl IntoWire for HostUse {
    type Wire = wire::HostUse;

    fn into_wire(self) -> wire::HostUse {
        let Self {
            host,
            instances,
            memory,
            millicpus,
            pids,
            disk,
        } = self;
        wire::HostUse {
            host,
            instances: instances.into_wire(),
            memory: memory.into_wire(),
            millicpus: millicpus.into_wire(),
            pids: pids.into_wire(),
            disk: disk.into_wire(),
        }
    }
}

impl IntoWire for LinkUse {
    type Wire = wire::LinkUse;

    fn into_wire(self) -> wire::LinkUse {
        let Self {
            link,
            instances,
            creations,
        } = self;
        wire::LinkUse {
            link,
            instances: instances.into_wire(),
            creations: creations.into_wire(),
        }
    }
}

impl IntoWire for LimitsView {
    type Wire = wire::Limits;

    fn into_wire(self) -> wire::Limits {
        let Self {
            hosts,
            links,
            templates,
            waiting,
            paused,
        } = self;
        let template = |(template, instances): (String, Used)| wire::TemplateUse {
            template,
            instances: instances.into_wire(),
        };
        wire::Limits {
            hosts: hosts.into_wire(),
            links: links.into_wire(),
            templates: templates.into_iter().map(template).collect(),
            waiting: waiting.into_wire(),
            paused: paused.into_wire(),
        }
    }
}

impl IntoWire for Pause {
    type Wire = wire::Pause;

    fn into_wire(self) -> wire::Pause {
        let Self { scope, since, by } = self;
        let (link, template) = match scope {
            PauseScope::All => (None, None),
            PauseScope::Link(link) => (Some(link), None),
            PauseScope::Template(template) => (None, Some(template)),
        };
        wire::Pause {
            link,
            template,
            since,
            by,
        }
    }
}

impl IntoWire for WaitingView {
    type Wire = wire::Waiting;

    fn into_wire(self) -> wire::Waiting {
        let Self {
            key: SlotKey { owner, slot },
            template,
            share,
            since,
            place,
            expected,
            code,
            reason,
        } = self;
        wire::Waiting {
            client: owner.client(),
            owner: owner.into_wire(),
            slot: slot.to_string(),
            template,
            link: share.link,
            port: share.port,
            link_layer: share.link_layer,
            since,
            place,
            expected_ms: expected.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            code: code.to_owned(),
            reason,
        }
    }
}
