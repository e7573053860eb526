//! The store as one caller may see it, in the types of the API.
//!
//! Handlers read the store only through a view. So one place decides what a caller may see: today every caller sees
//! everything.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use orchestrator_api_types as wire;
use orchestrator_catalog::Catalog;
use orchestrator_model::{
    Client, ClientId, Instance, InstanceId, InstanceView, Phase, RecordedVolume, SlotKey, Timestamp, VolumeId,
};
use orchestrator_store::{ClientFilter, EventFilter, InstanceFilter, LeaseFilter, Resolved, Store};

use super::caller::Caller;
use super::problem::Fault;
use super::routes::Shared;
use super::wire::IntoWire;

/// The number of last events that are shown with a client.
const LAST_EVENTS: u32 = 20;

/// The store as one caller may see it.
pub(super) struct View {
    store: Store,
    /// The catalog; `None` while the daemon starts.
    catalog: Option<Catalog>,
    /// The time of the daemon's clock at the request.
    now: Timestamp,
}

impl FromRequestParts<Shared> for View {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Fault> {
        // Restrict here what a caller sees, as soon as some callers may not see everything.
        Caller::from_request_parts(parts, shared).await?;
        let store = shared.app.store.borrow().clone().ok_or_else(Fault::store_missing)?;
        let catalog = shared.app.control.catalog().ok();
        let now = shared.app.control.now();
        Ok(Self { store, catalog, now })
    }
}

impl View {
    /// The store itself, for a reader that outlives the request: a stream of events.
    pub(super) fn into_store(self) -> Store {
        self.store
    }

    pub(super) async fn clients(&self, filter: ClientFilter) -> Result<wire::Page<wire::Client>, Fault> {
        Ok(self.store.clients(filter).await?.into_wire())
    }

    /// The client with this id.
    pub(super) async fn client(&self, id: &str) -> Result<Client, Fault> {
        let found = self.find_client(id).await?;
        found.ok_or_else(|| Fault::no_such("client", "no-such-client", id))
    }

    /// The client with this id, if there is one.
    pub(super) async fn find_client(&self, id: &str) -> Result<Option<Client>, Fault> {
        Ok(match id.parse::<ClientId>() {
            Ok(id) => self.store.client(id).await?,
            Err(_) => None,
        })
    }

    /// A client with its leases, instances and last events.
    pub(super) async fn whole_client(&self, client: Client) -> Result<wire::ClientView, Fault> {
        let id = Some(client.id);
        let leases = self
            .store
            .leases(LeaseFilter {
                client: id,
                ..LeaseFilter::default()
            })
            .await?;
        let live = self
            .store
            .instances(InstanceFilter {
                client: id,
                ..InstanceFilter::default()
            })
            .await?;
        let last = EventFilter {
            client: id,
            latest: true,
            limit: Some(LAST_EVENTS),
            ..EventFilter::default()
        };
        let events = self.store.events(last).await?;
        let instances: Vec<wire::Instance> = live.items.into_iter().map(|view| view.instance.into_wire()).collect();
        Ok(wire::ClientView {
            client: client.into_wire(),
            leases: leases.items.into_wire(),
            instance: instances.first().cloned(),
            instances,
            events: events.items.into_wire(),
        })
    }

    pub(super) async fn leases(&self, filter: LeaseFilter) -> Result<wire::Page<wire::LeaseView>, Fault> {
        Ok(self.store.leases(filter).await?.into_wire())
    }

    pub(super) async fn instances(&self, filter: InstanceFilter) -> Result<wire::Page<wire::InstanceView>, Fault> {
        let page = self.store.instances(filter).await?;
        Ok(wire::Page {
            items: page.items.into_iter().map(|view| self.show(view)).collect(),
            next: page.next,
        })
    }

    /// Converts an instance into the API's type, and adds whether its template has another version by now, and how much
    /// time is left.
    pub(super) fn show(&self, view: InstanceView) -> wire::InstanceView {
        let outdated = self.is_outdated(&view.instance);
        let left = view.instance.time_left(self.now);
        wire::InstanceView {
            outdated,
            time_left: left.map(|left| left.as_secs()),
            ..view.into_wire()
        }
    }

    fn is_outdated(&self, instance: &Instance) -> Option<bool> {
        let declared = self.catalog.as_ref()?.current();
        let template = declared.template(&instance.template)?;
        (instance.phase != Phase::Removed).then_some(instance.version != template.version)
    }

    /// The instance whose id begins with `id`.
    pub(super) async fn instance(&self, id: &str) -> Result<InstanceView, Fault> {
        let missing = || Fault::no_such("instance", "no-such-instance", id);
        match self.store.resolve_instance(id).await? {
            Resolved::One(id) => self.store.instance(id).await?.ok_or_else(missing),
            Resolved::None => Err(missing()),
            Resolved::Several(candidates) => Err(Fault::ambiguous(id, candidates)),
        }
    }

    /// The volumes of an owner of this name, or of all.
    pub(super) async fn volumes(&self, owner: Option<&str>) -> Result<Vec<RecordedVolume>, Fault> {
        let mut volumes = self.store.volumes().await?;
        volumes.retain(|volume| owner.is_none_or(|owner| volume.owner.name() == owner));
        Ok(volumes)
    }

    /// The volume of this id.
    pub(super) async fn volume(&self, id: &str) -> Result<RecordedVolume, Fault> {
        let found = match id.parse::<VolumeId>() {
            Ok(id) => self.store.volume(id).await?,
            Err(_) => None,
        };
        found.ok_or_else(|| Fault::no_such("volume", "no-such-volume", id))
    }

    /// The live instance in a slot.
    pub(super) async fn instance_in(&self, slot: &SlotKey) -> Result<Option<InstanceId>, Fault> {
        let situation = self.store.situation(slot).await?;
        Ok(situation
            .and_then(|situation| situation.instance)
            .map(|instance| instance.id))
    }

    pub(super) async fn events(&self, filter: EventFilter) -> Result<wire::Page<wire::Event>, Fault> {
        Ok(self.store.events(filter).await?.into_wire())
    }
}
