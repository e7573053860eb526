//! Records the address of an attachment that had none.

use std::net::Ipv6Addr;

use super::batch::Batch;
use super::connection::{execute, fetch_optional, statements};
use super::plan::refuse_address;
use super::text::Columns;
use super::writer::Write;
use super::{Store, StoreError, instances};
use orchestrator_model::{AttachmentId, EventKind, Instance, InstanceId, NewEvent, Timestamp};

statements! {
    FIND = "select instance, network, address from attachments where id = $1 and live = 1";
    GIVE = "update attachments set address = $2 where id = $1 and address is null";
    HURRY_ONE = "update instances set due = null where id = $1 and phase in ('pending', 'starting')";
}

impl Store {
    /// Records the address of an attachment whose address is pending, with an event, and ends the wait of its instance.
    /// The same address once more changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotPending`] when no attachment of this id waits for an address, [`StoreError::AddressTaken`] when
    /// another live instance has it on the network; when the database is away.
    pub async fn give_address(
        &self,
        attachment: AttachmentId,
        address: Ipv6Addr,
        at: Timestamp,
    ) -> Result<Instance, StoreError> {
        self.write(GiveAddress {
            attachment,
            address,
            at,
        })
        .await
    }
}

struct GiveAddress {
    attachment: AttachmentId,
    address: Ipv6Addr,
    at: Timestamp,
}

impl Write for GiveAddress {
    type Output = Instance;
    const DOING: &'static str = "record the address of an attachment";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Instance, StoreError> {
        let not_pending = || StoreError::NotPending(self.attachment);
        let found = fetch_optional!(
            &mut batch.tx,
            "look up an attachment",
            (String, String, Option<String>),
            FIND,
            self.attachment.to_string()
        )?;
        let (instance, network, known) = found.ok_or_else(not_pending)?;
        let instance: InstanceId = Columns("attachment").parse("instance", &instance)?;
        match known {
            None => self.give(batch, instance, &network).await?,
            Some(known) if known == self.address.to_string() => {}
            Some(_) => return Err(not_pending()),
        }
        let found = instances::find(&mut batch.tx, instance).await?;
        Ok(found.ok_or(StoreError::NoSuchInstance(instance))?.instance)
    }
}

impl GiveAddress {
    async fn give(&self, batch: &mut Batch<'_>, instance: InstanceId, network: &str) -> Result<(), StoreError> {
        refuse_address(batch, network, self.address).await?;
        let (attachment, address) = (self.attachment.to_string(), self.address.to_string());
        execute!(
            &mut batch.tx,
            "record the address of an attachment",
            GIVE,
            attachment,
            address
        )?;
        execute!(
            &mut batch.tx,
            "end the wait of an instance",
            HURRY_ONE,
            instance.to_string()
        )?;
        let found = instances::find(&mut batch.tx, instance).await?;
        let Some(view) = found else { return Ok(()) };
        let event = NewEvent {
            detail: Some(format!("{} on {network}", self.address)),
            ..view.instance.event(self.at, EventKind::InstanceAddressed)
        };
        batch.append_event(event).await.map(drop)
    }
}
