//! Records an instance that is wanted, before anything is made.

use std::net::Ipv6Addr;

use super::batch::Batch;
use super::connection::{execute, fetch_optional, statements};
use super::text::Columns;
use super::writer::Write;
use super::{Store, StoreError, clients, instances};
use orchestrator_model::{ClientId, ContainerSpec, Instance, InstanceId, NewEvent, Phase, Timestamp};

statements! {
    HOLDER = "select id from instances where link = $1 and address = $2 and phase <> 'removed'";
    INSERT = "insert into instances (id, client, link, template, plugin, spec, address, phase, reason, attempts, due,
            reference, created, ready, changed)
        values ($1, $2, $3, $4, $5, $6, $7, $8, null, 0, null, null, $9, null, $9)";
}

/// An instance that is about to be recorded, [`Phase::Pending`].
#[derive(Debug, Clone, PartialEq)]
pub struct NewInstance {
    /// Its name.
    pub id: InstanceId,
    /// Whom it is for.
    pub client: ClientId,
    /// The bridge it is to be attached to.
    pub link: String,
    /// Name of the template it is made from.
    pub template: String,
    /// The plugin that is to provision it.
    pub plugin: String,
    /// What it is to be.
    pub spec: ContainerSpec,
    /// Its address on the link.
    pub address: Ipv6Addr,
    /// Now.
    pub at: Timestamp,
}

impl Store {
    /// Records an instance for a client, with its event.
    ///
    /// # Errors
    ///
    /// [`StoreError::AlreadyThere`] when the client has a live instance, [`StoreError::AddressTaken`] when another
    /// live instance has the address, [`StoreError::NoSuchClient`] when there is no such client.
    pub async fn plan_instance(&self, new: NewInstance, event: NewEvent) -> Result<Instance, StoreError> {
        self.write(PlanInstance { new, event }).await
    }
}

struct PlanInstance {
    new: NewInstance,
    event: NewEvent,
}

impl Write for PlanInstance {
    type Output = Instance;
    const DOING: &'static str = "record an instance";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Instance, StoreError> {
        let new = &self.new;
        self.refuse(batch).await?;
        let columns = Columns("instance");
        let spec = serde_json::to_string(&new.spec).map_err(|error| columns.bad("spec", error))?;
        execute!(
            &mut batch.tx,
            "record an instance",
            INSERT,
            new.id.to_string(),
            new.client.to_string(),
            new.link.as_str(),
            new.template.as_str(),
            new.plugin.as_str(),
            spec,
            new.address.to_string(),
            Phase::Pending.word(),
            new.at.0,
        )?;
        batch.append_event(self.event.clone()).await?;
        Ok(new.instance())
    }
}

impl PlanInstance {
    /// Says no where the indexes would, and by whom.
    async fn refuse(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let new = &self.new;
        if clients::find(&mut batch.tx, new.client).await?.is_none() {
            return Err(StoreError::NoSuchClient(new.client));
        }
        if let Some(live) = instances::live_instance(&mut batch.tx, new.client).await? {
            return Err(StoreError::AlreadyThere {
                client: new.client,
                instance: live.id,
            });
        }
        let address = new.address.to_string();
        let holder = fetch_optional!(
            &mut batch.tx,
            "look up an address",
            (String,),
            HOLDER,
            new.link.as_str(),
            address
        )?;
        match holder {
            Some((id,)) => Err(StoreError::AddressTaken {
                link: new.link.clone(),
                address: new.address,
                instance: Columns("instance").parse("id", &id)?,
            }),
            None => Ok(()),
        }
    }
}

impl NewInstance {
    fn instance(&self) -> Instance {
        Instance {
            id: self.id,
            client: self.client,
            link: self.link.clone(),
            template: self.template.clone(),
            plugin: self.plugin.clone(),
            spec: self.spec.clone(),
            address: self.address,
            phase: Phase::Pending,
            reason: None,
            attempts: 0,
            due: None,
            reference: None,
            created: self.at,
            ready: None,
            changed: self.at,
        }
    }
}
