//! Reads services.

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::rows::{ServiceRow, SlotRow, VersionRow, column};
use super::{ServiceSituation, operations};
use crate::connection::{Tx, fetch_all, fetch_optional, statements};
use crate::{Store, StoreError, instances};
use orchestrator_model::{
    Origin, Owner, RecordedService, RecordedTemplate, ServiceSlot, ServiceVersion, Slot, Timestamp,
};

statements! {
    LIST = "select name, generation, version, good_version, instances, oldest_first, state, paused, reason,
        failures, failed_at, given_up, created, changed, changed_by from services order by name";
    FIND = "select name, generation, version, good_version, instances, oldest_first, state, paused, reason,
        failures, failed_at, given_up, created, changed, changed_by from services where name = $1";
    SLOTS = "select service, slot, version, state, health, instance, opened, since, detail
        from service_slots where service = $1 order by slot";
    ALL_SLOTS = "select service, slot, version, state, health, instance, opened, since, detail
        from service_slots order by service, slot";
    VERSIONS = "select service, version, spec, template_version, created, made_by from service_versions
        where service = $1 order by version desc";
    IN_USE = "select service, version, spec, template_version, created, made_by from service_versions
        where service = $1 and (version in ($2, $3)
            or version in (select l.version from service_slots l where l.service = $1)
            or exists (select 1 from instances i where i.phase <> 'removed'
                and i.template = 'service:' || $1 || ':' || service_versions.version)) order by version";
    // Those in force, and those that a service goes back to when another version fails.
    HELD = "select v.service, v.version, v.spec, v.template_version, v.created, v.made_by,
            cast(case when v.version = s.version then 1 else 0 end as bigint) as in_force
        from services s join service_versions v on v.service = s.name
            and (v.version = s.version or v.version = s.good_version) order by v.service, v.version desc";
    HELD_NAMES = "select v.service, v.version, v.created from services s join service_versions v on v.service = s.name
            and (v.version = s.version or v.version = s.good_version) order by v.service, v.version desc";
    HELD_ONE = "select v.service, v.version, v.spec, v.template_version, v.created, v.made_by,
            cast(case when v.version = s.version then 1 else 0 end as bigint) as in_force
        from services s join service_versions v on v.service = s.name where s.name = $1 and v.version = $2";
    // Those of versions that are only kept, so that somebody can go back to them, are read when somebody does.
    TEMPLATES = "select t.name, t.version, t.spec, v.created, v.made_by
        from service_versions v join services s on s.name = v.service
            join templates t on t.name = 'service:' || v.service || ':' || v.version and t.version = v.template_version
        where v.version = s.version or v.version = s.good_version
            or exists (select 1 from service_slots l where l.service = v.service and l.version = v.version)
            or exists (select 1 from instances i where i.template = t.name and i.phase <> 'removed')
        order by t.name";
}

impl Store {
    /// All services, by name.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn services(&self) -> Result<Vec<RecordedService>, StoreError> {
        let rows = fetch_all!(&mut self.glance().await?, "list the services", ServiceRow, LIST)?;
        rows.into_iter().map(RecordedService::try_from).collect()
    }

    /// The version in force of each service, and the one that it goes back to when that fails; by the service's name.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn held_service_versions(&self) -> Result<Vec<HeldVersion>, StoreError> {
        held_versions(&mut self.glance().await?).await
    }

    /// The service of this name.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn service(&self, name: &str) -> Result<Option<RecordedService>, StoreError> {
        find(&mut self.glance().await?, name).await
    }

    /// A service with its slots, its versions in use and its live instances, all at one moment.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn service_situation(&self, name: &str) -> Result<Option<ServiceSituation>, StoreError> {
        let mut tx = self.snapshot().await?;
        let Some(service) = find(&mut tx, name).await? else {
            return Ok(None);
        };
        let instances = match service.instances {
            Some(_) => instances::live_of(&mut tx, &Owner::Service(name.to_owned())).await?,
            None => instances::live_of_clients_in(&mut tx, &Slot::of_service(name)).await?,
        };
        Ok(Some(ServiceSituation {
            slots: slots(&mut tx, name).await?,
            versions: in_use(&mut tx, &service).await?,
            operation: operations::running(&mut tx, name).await?,
            instances,
            service,
        }))
    }

    /// The slots of all services, by the service's name.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn service_slots(&self) -> Result<BTreeMap<String, Vec<ServiceSlot>>, StoreError> {
        let rows = fetch_all!(
            &mut self.glance().await?,
            "read the slots of the services",
            SlotRow,
            ALL_SLOTS
        )?;
        let mut slots: BTreeMap<String, Vec<ServiceSlot>> = BTreeMap::new();
        for row in rows {
            let service = row.service.clone();
            slots.entry(service).or_default().push(row.try_into()?);
        }
        Ok(slots)
    }

    /// The versions of a service that are kept, the last one first.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn service_versions(&self, name: &str) -> Result<Vec<ServiceVersion>, StoreError> {
        versions(&mut self.glance().await?, name).await
    }

    /// The templates that instances of services are or may be made from, each under the name of its service and version:
    /// those of the versions in force, of the last good ones, and of slots and instances.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn service_templates(&self) -> Result<Vec<RecordedTemplate>, StoreError> {
        type Row = (String, i64, String, i64, Option<String>);
        let rows = fetch_all!(
            &mut self.glance().await?,
            "read the templates of the services",
            Row,
            TEMPLATES
        )?;
        let read = |(name, version, spec, created, by): Row| {
            Ok(RecordedTemplate {
                name,
                origin: Origin::Api,
                version: crate::text::Columns("template").count("version", version)?,
                spec,
                changed: Timestamp(created),
                by,
            })
        };
        rows.into_iter().map(read).collect()
    }
}

/// A version that a service holds on to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldVersion {
    /// The version.
    pub version: ServiceVersion,
    /// Whether it is in force. If not, the service goes back to it when the one in force fails.
    pub in_force: bool,
}

#[derive(FromRow)]
struct HeldRow {
    #[sqlx(flatten)]
    version: VersionRow,
    in_force: i64,
}

impl TryFrom<HeldRow> for HeldVersion {
    type Error = StoreError;

    fn try_from(row: HeldRow) -> Result<Self, StoreError> {
        Ok(Self {
            version: row.version.try_into()?,
            in_force: row.in_force != 0,
        })
    }
}

/// What [`Store::held_service_versions`] reads, in a transaction.
pub(crate) async fn held_versions(tx: &mut Tx<'_>) -> Result<Vec<HeldVersion>, StoreError> {
    let rows = fetch_all!(tx, "list the services", HeldRow, HELD)?;
    rows.into_iter().map(HeldVersion::try_from).collect()
}

/// A version of a service: its service, its number, and when it was made. A service that is deployed anew after it is gone
/// begins with the first number again.
pub(super) type HeldName = (String, u64, Timestamp);

/// The versions that services hold on to, in a transaction.
pub(super) async fn held_names(tx: &mut Tx<'_>) -> Result<Vec<HeldName>, StoreError> {
    let rows = fetch_all!(tx, "compare with other services", (String, i64, i64), HELD_NAMES)?;
    let version = |(name, version, created): (String, i64, i64)| {
        (name, u64::try_from(version).unwrap_or_default(), Timestamp(created))
    };
    Ok(rows.into_iter().map(version).collect())
}

/// A version that a service holds on to, in a transaction.
pub(super) async fn held(tx: &mut Tx<'_>, service: &str, version: u64) -> Result<Option<HeldVersion>, StoreError> {
    let version = column(version)?;
    let row = fetch_optional!(tx, "compare with another service", HeldRow, HELD_ONE, service, version)?;
    row.map(HeldVersion::try_from).transpose()
}

/// The service of this name, in a transaction.
pub(super) async fn find(tx: &mut Tx<'_>, name: &str) -> Result<Option<RecordedService>, StoreError> {
    let row = fetch_optional!(tx, "look up a service", ServiceRow, FIND, name)?;
    row.map(RecordedService::try_from).transpose()
}

/// The slots of a service, in a transaction.
pub(super) async fn slots(tx: &mut Tx<'_>, name: &str) -> Result<Vec<ServiceSlot>, StoreError> {
    let rows = fetch_all!(tx, "read the slots of a service", SlotRow, SLOTS, name)?;
    rows.into_iter().map(ServiceSlot::try_from).collect()
}

/// The versions of a service, in a transaction: the last one first.
pub(super) async fn versions(tx: &mut Tx<'_>, name: &str) -> Result<Vec<ServiceVersion>, StoreError> {
    let rows = fetch_all!(tx, "read the versions of a service", VersionRow, VERSIONS, name)?;
    rows.into_iter().map(ServiceVersion::try_from).collect()
}

async fn in_use(tx: &mut Tx<'_>, service: &RecordedService) -> Result<Vec<ServiceVersion>, StoreError> {
    let (current, good) = (
        column(service.version)?,
        column(service.good_version.unwrap_or_default())?,
    );
    let rows = fetch_all!(
        tx,
        "read the versions of a service",
        VersionRow,
        IN_USE,
        service.name.as_str(),
        current,
        good
    )?;
    rows.into_iter().map(ServiceVersion::try_from).collect()
}
