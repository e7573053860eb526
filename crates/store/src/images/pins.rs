//! The image that each name in a version of a template means.

use sqlx::FromRow;

use crate::batch::Batch;
use crate::connection::{Session, Tx, execute, fetch_all, fetch_optional, statements, within};
use crate::text::Columns;
use crate::writer::Write;
use crate::{Store, StoreError};
use orchestrator_model::{EventKind, HostId, ImagePin, NewEvent, Timestamp};

macro_rules! select {
    ($($rest:expr),+) => {
        concat!(
            "select p.template, p.version, p.host, p.engine, p.image, p.digest, p.pinned from template_images p ",
            $($rest),+
        )
    };
}

statements! {
    OF_VERSION = select!("where p.template = $1 and p.version = $2 order by p.host, p.engine, p.image");
    FIND = select!("where p.template = $1 and p.version = $2 and p.host = $3 and p.engine = $4 and p.image = $5");
    IN_USE = select!("where ", in_use!(), " order by p.template, p.version, p.host, p.engine, p.image");
    CONTAINERS = "select distinct i.host, c.engine, c.image
        from containers c join instances i on i.id = c.instance
        where i.phase <> 'removed' and i.host is not null";
    HAS_VERSION = "select version from templates where name = $1 and version = $2";
    IS_GOING = "select id from images where host = $1 and engine = $2 and id = $3 and state = 'removing'";
    INSERT = "insert into template_images (template, version, host, engine, image, digest, pinned)
        values ($1, $2, $3, $4, $5, $6, $7)";
    USED = "update images set unused = null where host = $1 and engine = $2 and id = $3 and unused is not null";
}

const COLUMNS: Columns = Columns("image of a template");

/// A name of an image that was resolved on an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPin {
    /// The host.
    pub host: HostId,
    /// The engine.
    pub engine: String,
    /// The name in the template.
    pub image: String,
    /// The engine's id of the image.
    pub digest: String,
}

/// The outcome of [`Store::pin_image`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pinning {
    /// The pin in force: the new one, or the one that was there.
    Pinned(ImagePin),
    /// The version of the template is not recorded, so that nothing can be pinned to it.
    NoVersion,
    /// The image is being removed from the engine.
    Going,
}

/// An image as a container names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedImage {
    /// The host.
    pub host: HostId,
    /// The engine.
    pub engine: String,
    /// The name, or the id.
    pub image: String,
}

/// Everything that uses an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageUses {
    /// The pins of versions that are declared, that a service may start, or that a live instance has.
    pub pins: Vec<ImagePin>,
    /// The images that containers of live instances name.
    pub containers: Vec<NamedImage>,
}

#[derive(FromRow)]
struct PinRow {
    template: String,
    version: i64,
    host: String,
    engine: String,
    image: String,
    digest: String,
    pinned: i64,
}

impl TryFrom<PinRow> for ImagePin {
    type Error = StoreError;

    fn try_from(row: PinRow) -> Result<Self, StoreError> {
        Ok(Self {
            template: row.template,
            version: COLUMNS.count("version", row.version)?,
            host: HostId::new(row.host),
            engine: row.engine,
            image: row.image,
            digest: row.digest,
            pinned: Timestamp(row.pinned),
        })
    }
}

fn read(rows: Vec<PinRow>) -> Result<Vec<ImagePin>, StoreError> {
    rows.into_iter().map(ImagePin::try_from).collect()
}

impl Store {
    /// The pins of a version of a template, on all engines.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn image_pins(&self, template: &str, version: u64) -> Result<Vec<ImagePin>, StoreError> {
        let Ok(version) = i64::try_from(version) else {
            return Ok(Vec::new());
        };
        let mut tx = self.glance().await?;
        read(fetch_all!(
            &mut tx,
            "read the images of a template",
            PinRow,
            OF_VERSION,
            template,
            version
        )?)
    }

    /// Everything that uses an image: versions that are declared, and live instances.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn image_uses(&self) -> Result<ImageUses, StoreError> {
        let mut tx = self.snapshot().await?;
        let pins = read(fetch_all!(&mut tx, "read the images in use", PinRow, IN_USE)?)?;
        let containers = fetch_all!(&mut tx, "read the images in use", (String, String, String), CONTAINERS)?;
        let named = containers.into_iter().map(|(host, engine, image)| NamedImage {
            host: HostId::new(host),
            engine,
            image,
        });
        Ok(ImageUses {
            pins,
            containers: named.collect(),
        })
    }

    /// Pins a name in a version of a template to an image, unless it is pinned already. Records an event.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn pin_image(
        &self,
        template: &str,
        version: u64,
        pin: NewPin,
        at: Timestamp,
    ) -> Result<Pinning, StoreError> {
        let Ok(number) = i64::try_from(version) else {
            return Ok(Pinning::NoVersion);
        };
        let template = template.to_owned();
        self.write(PinImage {
            template,
            version: number,
            pin,
            at,
        })
        .await
    }
}

/// The pins in use, on a connection that only reads.
pub(crate) async fn in_use_in(session: &mut Session) -> Result<Vec<ImagePin>, StoreError> {
    let doing = "read the images in use";
    let rows: Vec<PinRow> = match session {
        Session::Sqlite(session) => within(doing, sqlx::query_as(IN_USE).fetch_all(session)).await?,
        Session::Postgres(session) => within(doing, sqlx::query_as(IN_USE).fetch_all(session)).await?,
    };
    read(rows)
}

/// Whether an image is being removed from its engine.
pub(super) async fn is_going(tx: &mut Tx<'_>, pin: &NewPin) -> Result<bool, StoreError> {
    let going = fetch_optional!(
        tx,
        "read whether an image is being removed",
        (String,),
        IS_GOING,
        pin.host.as_str(),
        &pin.engine,
        &pin.digest
    )?;
    Ok(going.is_some())
}

/// Records a pin. The image is in use from now on.
pub(super) async fn insert(
    batch: &mut Batch<'_>,
    template: &str,
    version: i64,
    pin: &NewPin,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (host, engine, digest) = (pin.host.as_str(), &pin.engine, &pin.digest);
    execute!(
        &mut batch.tx,
        "pin an image",
        INSERT,
        template,
        version,
        host,
        engine,
        &pin.image,
        digest,
        at.0
    )?;
    execute!(&mut batch.tx, "pin an image", USED, host, engine, digest).map(drop)
}

struct PinImage {
    template: String,
    version: i64,
    pin: NewPin,
    at: Timestamp,
}

impl Write for PinImage {
    type Output = Pinning;
    const DOING: &'static str = "pin an image";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Pinning, StoreError> {
        let (template, version, pin) = (&self.template, self.version, &self.pin);
        let host = pin.host.as_str();
        let tx = &mut batch.tx;
        let found = fetch_optional!(
            tx,
            "pin an image",
            PinRow,
            FIND,
            template,
            version,
            host,
            &pin.engine,
            &pin.image
        )?;
        if let Some(found) = found {
            return Ok(Pinning::Pinned(found.try_into()?));
        }
        if fetch_optional!(tx, "pin an image", (i64,), HAS_VERSION, template, version)?.is_none() {
            return Ok(Pinning::NoVersion);
        }
        if is_going(tx, pin).await? {
            return Ok(Pinning::Going);
        }
        insert(batch, template, version, pin, self.at).await?;
        let event = NewEvent {
            host: Some(pin.host.clone()),
            detail: Some(format!(
                "template {template}, version {version}: {} is {} on engine {}",
                pin.image, pin.digest, pin.engine
            )),
            ..NewEvent::new(self.at, EventKind::ImagePinned)
        };
        batch.append_event(event).await?;
        Ok(Pinning::Pinned(ImagePin {
            template: template.clone(),
            version: COLUMNS.count("version", version)?,
            host: pin.host.clone(),
            engine: pin.engine.clone(),
            image: pin.image.clone(),
            digest: pin.digest.clone(),
            pinned: self.at,
        }))
    }
}
