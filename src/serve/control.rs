//! What the API may ask of the daemon.

use std::collections::HashMap;
use std::sync::OnceLock;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use crate::api::{Control, ControlError};
use crate::model::{ClientId, Instance, InstanceId, LeaseChange, LeaseSource, LeaseVerb, Timestamp};
use crate::orchestrator::Orchestrator;
use crate::source::Recorder;
use crate::source::dnsmasq::{DnsmasqEvent, Handed, Intake, IntakeError};
use crate::source::listener::Command;
use crate::store::Store;

/// Connects the API, which is there from the start, to the parts that come up later.
#[derive(Default)]
pub(super) struct Switchboard {
    ready: OnceLock<Ready>,
}

/// The parts, once they are there.
pub(super) struct Ready {
    store: Store,
    orchestrator: Orchestrator,
    recorder: Recorder,
    intake: Intake,
    links: HashMap<String, (LeaseSource, mpsc::Sender<Command>)>,
}

impl Ready {
    pub(super) fn new(store: Store, orchestrator: Orchestrator, recorder: Recorder, intake: Intake) -> Self {
        Self {
            store,
            orchestrator,
            recorder,
            intake,
            links: HashMap::new(),
        }
    }

    pub(super) fn add_link(&mut self, bridge: &str, source: LeaseSource, commands: mpsc::Sender<Command>) {
        self.links.insert(bridge.to_owned(), (source, commands));
    }

    /// Frees what the client holds, through whoever owns its bindings.
    async fn release(&self, client: ClientId) -> Result<(), ControlError> {
        let Some(situation) = self.store.situation(client).await? else {
            return Ok(());
        };
        let mut leases = situation.active_leases;
        let listener = self
            .links
            .get(&situation.client.link)
            .filter(|(source, _)| *source == LeaseSource::Listener);
        if let Some((_, commands)) = listener {
            let (done, told) = oneshot::channel();
            let command = Command::Release {
                duid: situation.client.duid,
                done,
            };
            if commands.try_send(command).is_ok()
                && let Ok(outcome) = told.await
            {
                outcome?;
                // Hosts that were seen are in no bindings.
                leases.retain(|lease| lease.source == LeaseSource::Neighbor);
            }
            // The listener is not up: nobody answers clients from its bindings, and it reads the store when it starts.
        }
        let changes = leases.into_iter().map(|lease| LeaseChange {
            verb: LeaseVerb::Release,
            link: lease.link,
            duid: lease.duid,
            iaid: lease.iaid,
            leased: lease.leased,
            next_hop: lease.next_hop,
            class: None,
            source: lease.source,
            preferred_until: lease.preferred_until,
            valid_until: lease.valid_until,
            link_layer: None,
            hostname: None,
            at: Timestamp::wall(),
            replayed: false,
        });
        Ok(self.recorder.record(changes.collect()).await?)
    }
}

impl Switchboard {
    pub(super) fn connect(&self, ready: Ready) {
        // Called once, by whoever built the parts.
        let _ = self.ready.set(ready);
    }

    fn ready(&self) -> Result<&Ready, ControlError> {
        self.ready.get().ok_or(ControlError::Starting)
    }
}

#[async_trait]
impl Control for Switchboard {
    async fn destroy(&self, id: InstanceId, release: bool) -> Result<Instance, ControlError> {
        let ready = self.ready()?;
        let instance = ready.orchestrator.destroy(id).await?;
        if release {
            ready.release(instance.client).await?;
        }
        Ok(instance)
    }

    async fn dnsmasq_event(&self, event: DnsmasqEvent) -> Result<(), ControlError> {
        match self.ready()?.intake.take(event, Handed::Live).await {
            Ok(()) => Ok(()),
            Err(IntakeError::Store(fault)) => Err(fault.into()),
            Err(refusal) => Err(ControlError::Refused {
                reason: refusal.to_string(),
            }),
        }
    }
}
