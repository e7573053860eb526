//! Services as they are shown.

use orchestrator_api_types as wire;
use orchestrator_model::{
    EndpointState, Endpoints, Health, Operation, ServiceEndpoints, ServiceSlot, SlotState, Transport,
};

use orchestrator_service::roll::back_off;

use crate::service_control::{Deployed, ServiceListed};

pub(super) fn service_view(listed: ServiceListed) -> wire::Service {
    let ServiceListed { situation, spec } = listed;
    let service = situation.service;
    let serves = |slot: &&ServiceSlot| slot.state == SlotState::Wanted && slot.health == Health::Passing;
    let serving = situation.slots.iter().filter(serves).count();
    wire::Service {
        name: service.name,
        generation: service.generation,
        version: service.version,
        good_version: service.good_version,
        instances: service.instances,
        serving: u32::try_from(serving).unwrap_or(u32::MAX),
        state: service.state.word().to_owned(),
        paused: service.paused,
        reason: service.reason,
        failures: service.failures,
        next_try: service.failed_at.map(|at| at.plus(back_off(service.failures))),
        created: service.created,
        changed: service.changed,
        by: service.by,
        spec,
        slots: situation.slots.into_iter().map(slot_view).collect(),
        operation: situation.operation.map(operation_view),
    }
}

fn slot_view(slot: ServiceSlot) -> wire::ServiceSlot {
    wire::ServiceSlot {
        number: slot.number,
        version: slot.version,
        state: slot.state.word().to_owned(),
        health: slot.health.word().to_owned(),
        instance: slot.instance,
        opened: slot.opened,
        since: slot.since,
        detail: slot.detail,
    }
}

pub(super) fn operation_view(operation: Operation) -> wire::Operation {
    wire::Operation {
        id: operation.id,
        kind: operation.kind.word().to_owned(),
        service: operation.service,
        version: operation.version,
        generation: operation.generation,
        state: operation.state.word().to_owned(),
        detail: operation.detail,
        created: operation.created,
        ended: operation.ended,
        by: operation.by,
    }
}

pub(super) fn deployment(deployed: Deployed) -> wire::Deployment {
    let change = |(key, before, after)| wire::ServiceChange { key, before, after };
    wire::Deployment {
        name: deployed.name,
        generation: deployed.generation,
        changes: deployed.changes.into_iter().map(change).collect(),
        replaces: deployed.replaces,
        warnings: deployed.warnings,
        operation: deployed.operation.map(operation_view),
    }
}

pub(super) fn endpoints_view(endpoints: &Endpoints, index: u64, service: Option<&str>) -> wire::Endpoints {
    let all = endpoints.services.iter();
    let asked = all.filter(|(name, _)| service.is_none_or(|service| service == name.as_str()));
    wire::Endpoints {
        index,
        services: asked.map(|(name, of)| (name.clone(), of_service(of))).collect(),
    }
}

fn of_service(of: &ServiceEndpoints) -> wire::ServiceEndpoints {
    let port = |(name, port): (&String, &orchestrator_model::ServicePort)| {
        let transport = match port.transport {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        };
        (name.clone(), format!("{}/{transport}", port.number))
    };
    let member = |(slot, member): (&orchestrator_model::Slot, &orchestrator_model::Endpoint)| wire::Endpoint {
        slot: slot.to_string(),
        instance: member.instance,
        version: member.version,
        address: member.address,
        network: member.network.clone(),
        host: member.host.to_string(),
        state: word(member.state).to_owned(),
    };
    wire::ServiceEndpoints {
        index: of.index,
        ports: of.ports.iter().map(port).collect(),
        members: of.members.iter().map(member).collect(),
    }
}

const fn word(state: EndpointState) -> &'static str {
    match state {
        EndpointState::Starting => "starting",
        EndpointState::Serving => "serving",
        EndpointState::Failing => "failing",
        EndpointState::Draining => "draining",
    }
}
