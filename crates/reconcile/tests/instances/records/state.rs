//! The rules of the record: one live instance a slot, one holder an address, one holder a volume.

use super::*;

impl State {
    pub(super) fn live_in_slot(&self, key: &SlotKey) -> Option<&Instance> {
        let mut all = self.instances.values();
        all.find(|instance| instance.phase != Phase::Removed && instance.key() == *key)
    }

    pub(super) fn live_slots(&self, owner: &Owner) -> BTreeSet<Slot> {
        let live = self
            .instances
            .values()
            .filter(|instance| instance.phase != Phase::Removed);
        let own = live.filter(|instance| instance.owner == *owner);
        own.map(|instance| instance.slot.clone()).collect()
    }

    pub(super) fn holding(&self, id: ClientId) -> Option<Holding> {
        let client = self.clients.get(&id)?.clone();
        let active = self.leases.get(&id).filter(|lease| lease.state == LeaseState::Active);
        Some(Holding {
            client,
            active_leases: active.cloned().into_iter().collect(),
            slots: self.live_slots(&Owner::Client(id)),
            spent: self.spent_slots(&Owner::Client(id)),
        })
    }

    pub(super) fn holder(&self, network: &str, address: Ipv6Addr) -> Option<InstanceId> {
        let live = self
            .instances
            .values()
            .filter(|instance| instance.phase != Phase::Removed);
        let mut attached = live.flat_map(|instance| &instance.attachments);
        let found = attached.find(|one| one.network == network && one.address == Some(address));
        found.map(|attachment| attachment.instance)
    }

    pub(super) fn plan(&mut self, mut new: NewInstance) -> Result<Instance, StoreError> {
        if let Some(last) = new.attachments.last_mut().filter(|_| self.pending) {
            last.address = None;
        }
        if let Some(first) = new.attachments.first_mut() {
            first.routed.clone_from(&self.routed);
        }
        if let Some(client) = new.owner.client()
            && !self.clients.contains_key(&client)
        {
            return Err(StoreError::NoSuchClient(client));
        }
        let key = SlotKey::new(new.owner.clone(), new.slot.clone());
        if let Some(live) = self.live_in_slot(&key) {
            let instance = live.id;
            return Err(StoreError::AlreadyThere { key, instance });
        }
        for attachment in &new.attachments {
            let Some(address) = attachment.address else { continue };
            if let Some(instance) = self.holder(&attachment.network, address) {
                return Err(StoreError::AddressTaken {
                    network: attachment.network.clone(),
                    address,
                    instance,
                });
            }
        }
        self.claim(&new)?;
        self.shares.insert(new.id, new.share.clone());
        let instance = Instance {
            id: new.id,
            owner: new.owner,
            slot: new.slot,
            host: new.host,
            template: new.template,
            version: new.version,
            spec: new.spec,
            phase: new.phase,
            reason: None,
            attempts: 0,
            due: None,
            created: new.at,
            ready: None,
            changed: new.at,
            times: Times {
                until: new.until,
                idle: new.idle,
                ..Times::default()
            },
            containers: new.containers,
            attachments: new.attachments,
        };
        self.instances.insert(instance.id, instance.clone());
        Ok(instance)
    }

    /// Has an instance hold its volumes, or changes nothing.
    pub(super) fn claim(&mut self, new: &NewInstance) -> Result<(), StoreError> {
        for volume in &new.volumes {
            let known = self.volumes.get(&volume.id);
            let named = |other: &&RecordedVolume| {
                (other.state, &other.owner, &other.slot, &other.name)
                    == (VolumeState::Kept, &new.owner, &volume.slot, &volume.name)
            };
            let may = match known {
                Some(known) => known.holder.is_none() && known.state == VolumeState::Kept,
                None => self.volumes.values().find(named).is_none(),
            };
            if !may {
                return Err(StoreError::VolumeTaken(volume.id));
            }
        }
        for volume in &new.volumes {
            let created = self.volumes.get(&volume.id).map_or(new.at, |known| known.created);
            let taken = RecordedVolume {
                id: volume.id,
                owner: new.owner.clone(),
                slot: volume.slot.clone(),
                name: volume.name.clone(),
                host: volume.host.clone(),
                size: volume.size,
                keep: volume.keep,
                state: VolumeState::Kept,
                created,
                used: new.at,
                holder: Some(new.id),
            };
            self.volumes.insert(volume.id, taken);
        }
        Ok(())
    }

    pub(super) fn update(&mut self, id: InstanceId, update: InstanceUpdate) -> bool {
        let Some(instance) = self.instances.get_mut(&id) else {
            return false;
        };
        let barred = match instance.phase {
            Phase::Removed => true,
            Phase::Removing => !matches!(update.phase, Phase::Removing | Phase::Removed),
            _ => false,
        };
        if barred {
            return false;
        }
        if instance.phase != update.phase {
            instance.changed = update.at;
        }
        if update.phase == Phase::Removed {
            for volume in self.volumes.values_mut().filter(|volume| volume.holder == Some(id)) {
                volume.holder = None;
                volume.used = update.at;
            }
        }
        if !matches!(update.phase, Phase::Stopped | Phase::Removing | Phase::Removed) {
            instance.times.expired = None;
        }
        instance.times.kept_until = update.kept_until;
        if instance.times.reset <= update.reset {
            instance.times.reset = None;
        }
        instance.phase = update.phase;
        instance.reason = update.reason;
        instance.attempts = update.attempts;
        instance.due = update.due;
        instance.ready = instance.ready.or(update.ready);
        if let Some(mut references) = update.references {
            for container in &mut instance.containers {
                container.reference = references.remove(&container.name);
            }
        }
        true
    }

    fn spent_slots(&self, owner: &Owner) -> BTreeMap<Slot, Timestamp> {
        let own = self.spent.iter().filter(|(key, _)| key.owner == *owner);
        own.map(|(key, at)| (key.slot.clone(), *at)).collect()
    }

    pub(super) fn change_times(
        &mut self,
        id: InstanceId,
        change: &TimeChange,
        at: Timestamp,
        by: Option<String>,
    ) -> Result<Instance, StoreError> {
        let before = self.instances.get(&id).ok_or(StoreError::NoSuchInstance(id))?;
        let refused = |why| StoreError::Time { instance: id, why };
        let after = before.with_times(change, at).map_err(refused)?;
        if after == *before {
            return Ok(after);
        }
        match change {
            TimeChange::Expire { .. } => drop(self.spent.insert(after.key(), at)),
            TimeChange::Extend(_) if after.phase == Phase::Stopped => drop(self.spent.remove(&after.key())),
            _ => {}
        }
        let event = change.event(&after);
        self.events.extend(event.map(|(kind, detail)| NewEvent {
            detail,
            by,
            ..after.event(at, kind)
        }));
        self.instances.insert(id, after.clone());
        Ok(after)
    }

    pub(super) fn lease_of(&self, owner: &Owner) -> OwnerLease {
        let lease = owner.client().and_then(|client| self.leases.get(&client));
        match lease {
            Some(lease) if lease.state == LeaseState::Active => OwnerLease::Held,
            Some(lease) => OwnerLease::Ended(lease.changed),
            None => OwnerLease::Unknown,
        }
    }
}
