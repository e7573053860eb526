//! Reads the leases of a link when its DHCPv6 server starts.

use std::mem;
use std::net::Ipv6Addr;
use std::time::Duration;

use futures_util::{FutureExt, TryStreamExt};
use sqlx::{ColumnIndex, Decode, Row, Type};
use tokio::sync::mpsc;

use super::connection::{Tx, fetch_optional, on, statements, within};
use super::text::Columns;
use super::{Store, StoreError};
use orchestrator_model::{ClientId, Duid, Iaid, LeaseSource, LeaseState, Leased, Place, Timestamp};

// The rows have no order, so that the database only reads them. Each is one text, because SQLite's driver passes every
// value from one thread to another, which takes longer than reading it. Clients and leases are joined here: their ids
// are random, and a million of them are found faster in memory than in an index.
statements! {
    SHARE = "select (select count(*) from leases where link = $1), (select count(*) from leases)";
    CLIENTS = "select id || ' ' || duid from clients where link = $1";
    LEASES = "select client || ' ' || address || ' ' || iaid || ' ' || source || ' ' || state || ' ' || preferred_until
            || ' ' || valid_until || ' ' || changed || ' ' || coalesce(link_layer, '-') || ' '
            || coalesce(link_local, '-') || ' ' || coalesce(relay, '-') from leases where link = $1";
    // Without an index: this scans the whole table in the order on disk.
    CLIENTS_OF_ALL = "select id || ' ' || duid from clients where link || '' = $1";
    LEASES_OF_ALL = "select client || ' ' || address || ' ' || iaid || ' ' || source || ' ' || state || ' '
            || preferred_until || ' ' || valid_until || ' ' || changed || ' ' || coalesce(link_layer, '-') || ' '
            || coalesce(link_local, '-') || ' ' || coalesce(relay, '-') from leases where link || '' = $1";
}

/// A link that has at least one in this many of all leases is read by a scan of the whole table.
const LARGE: i64 = 4;

const DOING: &str = "read the leases of a link";
const COLUMNS: Columns = Columns("lease");

/// How long rows are gathered. Waking up for each takes longer than reading it.
const PAUSE: Duration = Duration::from_millis(1);

/// The approximate size of a chunk, in bytes.
const CHUNK: usize = 64 * 1024;

/// The number of chunks that are read ahead.
const AHEAD: usize = 8;

/// A lease as a DHCPv6 server needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalled {
    /// The address or the delegated prefix.
    pub leased: Leased,
    /// The DUID of the client that has or had it.
    pub duid: Duid,
    /// The client's identity association.
    pub iaid: Iaid,
    /// Where its events come from.
    pub source: LeaseSource,
    /// Its state.
    pub state: LeaseState,
    /// When the preferred lifetime ends.
    pub preferred_until: Timestamp,
    /// When the lease, or the quarantine, ends.
    pub valid_until: Timestamp,
    /// When it last changed.
    pub changed: Timestamp,
    /// The client's place when the lease was last granted or extended.
    pub place: Place,
}

impl Recalled {
    /// Parses a row of [`LEASES`].
    fn read(text: &str, clients: &Clients) -> Result<Self, StoreError> {
        let mut words = text.split(' ');
        let mut word = || words.next().unwrap_or_default();
        Ok(Self {
            duid: clients.duid(word())?,
            leased: COLUMNS.parse("address", word())?,
            iaid: Iaid(COLUMNS.parse("iaid", word())?),
            source: COLUMNS.parse("source", word())?,
            state: COLUMNS.parse("state", word())?,
            preferred_until: Timestamp(COLUMNS.parse("preferred_until", word())?),
            valid_until: Timestamp(COLUMNS.parse("valid_until", word())?),
            changed: Timestamp(COLUMNS.parse("changed", word())?),
            place: Place {
                link_layer: ethernet_address(word()),
                link_local: some("link_local", word())?,
                relay: some("relay", word())?,
            },
        })
    }
}

/// An address of a row; a dash stands for none.
fn some(column: &'static str, text: &str) -> Result<Option<Ipv6Addr>, StoreError> {
    match text {
        "-" => Ok(None),
        text => COLUMNS.parse(column, text).map(Some),
    }
}

/// The six bytes of a link-layer address; `None` for none, and for one that is not of Ethernet.
fn ethernet_address(text: &str) -> Option<[u8; 6]> {
    let mut bytes = text.split(':').map(|pair| u8::from_str_radix(pair, 16));
    let mut address = [0; 6];
    for byte in &mut address {
        *byte = bytes.next()?.ok()?;
    }
    bytes.next().is_none().then_some(address)
}

/// The DUIDs of a link's clients, in a few large blocks of memory that are freed as soon as everything is read.
#[derive(Default)]
struct Clients {
    /// The entries, sorted by id.
    places: Vec<Entry>,
    /// The start of the entries whose ids share their first sixteen bits. A search through all entries would touch all
    /// of the memory.
    begins: Vec<usize>,
    duids: Vec<u8>,
}

/// A client's id, and the position and length of its DUID.
type Entry = (ClientId, u32, u8);

/// The number of values of [`first_bits`].
const FIRST_BITS: usize = 1 << 16;

fn first_bits(id: ClientId) -> usize {
    let [high, low, ..] = id.bytes();
    usize::from(u16::from_be_bytes([high, low]))
}

impl Clients {
    /// Adds a row of [`CLIENTS`].
    fn add(&mut self, text: &str) -> Result<(), StoreError> {
        let columns = Columns("client");
        let (id, duid) = text.split_once(' ').unwrap_or((text, ""));
        let duid: Duid = columns.parse("duid", duid)?;
        let place = u32::try_from(self.duids.len()).map_err(|_| columns.bad("duid", "more than 4 GiB of them"))?;
        let length = u8::try_from(duid.as_bytes().len()).map_err(|_| columns.bad("duid", text))?;
        self.places.push((columns.parse("id", id)?, place, length));
        self.duids.extend_from_slice(duid.as_bytes());
        Ok(())
    }

    /// Sorts the entries. Call this once all are added.
    fn sort(&mut self) {
        self.places.sort_unstable_by_key(|(id, ..)| *id);
        let begin = |bits| self.places.partition_point(|(id, ..)| first_bits(*id) < bits);
        self.begins = (0..=FIRST_BITS).map(begin).collect();
    }

    /// The entries whose ids have the same first bits.
    fn around(&self, id: ClientId) -> &[Entry] {
        let bits = first_bits(id);
        let bounds = (self.begins.get(bits), self.begins.get(bits + 1));
        let (Some(begin), Some(end)) = bounds else { return &[] };
        self.places.get(*begin..*end).unwrap_or_default()
    }

    fn duid(&self, client: &str) -> Result<Duid, StoreError> {
        let id: ClientId = COLUMNS.parse("client", client)?;
        let bytes = || {
            let places = self.around(id);
            let found = places.binary_search_by_key(&id, |(id, ..)| *id).ok()?;
            let (_, begin, length) = *places.get(found)?;
            self.duids.get(begin as usize..)?.get(..usize::from(length))
        };
        let duid = bytes().and_then(|bytes| Duid::new(bytes).ok());
        duid.ok_or_else(|| COLUMNS.bad("client", client))
    }
}

/// The leases of a link at one moment, ready to be read.
pub struct Recall {
    tx: Tx<'static>,
    link: String,
    count: usize,
    is_large: bool,
}

impl Store {
    /// Counts the leases of a link. [`each`](Recall::each) reads them.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn recall(&self, link: &str) -> Result<Recall, StoreError> {
        let mut tx = self.snapshot().await?;
        let share = fetch_optional!(&mut tx, "count the leases of a link", (i64, i64), SHARE, link)?;
        let (own, all) = share.unwrap_or_default();
        Ok(Recall {
            tx,
            link: link.to_owned(),
            count: usize::try_from(own).unwrap_or_default(),
            is_large: own.saturating_mul(LARGE) >= all,
        })
    }
}

impl Recall {
    /// The number of leases in any state.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Passes every lease to `take`, in any state and in no order, one after the other: there may be millions.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, stops for longer than a statement may take, or a row cannot be read. Some
    /// leases have been passed by then.
    pub async fn each(self, mut take: impl FnMut(Recalled) + Send) -> Result<(), StoreError> {
        let (all_clients, all_leases) = if self.is_large {
            (CLIENTS_OF_ALL, LEASES_OF_ALL)
        } else {
            (CLIENTS, LEASES)
        };
        let mut clients = Clients::default();
        let tx = read_all(self.tx, all_clients, &self.link, |text| clients.add(text)).await?;
        clients.sort();
        let take = |text: &str| {
            take(Recalled::read(text, &clients)?);
            Ok(())
        };
        read_all(tx, all_leases, &self.link, take).await.map(drop)
    }
}

/// Passes on every text of a statement as it comes. Reading and parsing run in parallel, because both take time.
async fn read_all(
    mut tx: Tx<'static>,
    sql: &'static str,
    link: &str,
    mut take: impl FnMut(&str) -> Result<(), StoreError> + Send,
) -> Result<Tx<'static>, StoreError> {
    let (chunks, mut read) = mpsc::channel(AHEAD);
    let link = link.to_owned();
    let reading = tokio::spawn(async move { read_into(&chunks, &mut tx, sql, &link).await.map(|()| tx) });
    while let Some(chunk) = read.recv().await {
        chunk.lines().try_for_each(&mut take)?;
    }
    reading.await.map_err(|_| StoreError::closed(DOING))?
}

/// Reads texts, one on each line, until there are no more or the receiver is gone.
async fn read_into(
    chunks: &mpsc::Sender<String>,
    tx: &mut Tx<'_>,
    sql: &'static str,
    link: &str,
) -> Result<(), StoreError> {
    let mut chunk = String::with_capacity(CHUNK);
    on!(tx, connection => {
        let mut rows = sqlx::query(sql).bind(link).fetch(connection);
        'rows: while let Some(mut row) = within(DOING, rows.try_next()).await? {
            loop {
                chunk.push_str(text(&row)?);
                chunk.push('\n');
                if chunk.len() >= CHUNK {
                    let full = mem::replace(&mut chunk, String::with_capacity(CHUNK));
                    if chunks.send(full).await.is_err() {
                        return Ok(());
                    }
                }
                let Some(ready) = rows.try_next().now_or_never() else { break };
                let next = ready.map_err(|error| StoreError::database(DOING, error))?;
                let Some(next) = next else { break 'rows };
                row = next;
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    // The receiver may have stopped.
    let _ = chunks.send(chunk).await;
    Ok(())
}

/// The only column of a row, without a copy.
fn text<'r, R: Row>(row: &'r R) -> Result<&'r str, StoreError>
where
    usize: ColumnIndex<R>,
    &'r str: Decode<'r, R::Database> + Type<R::Database>,
{
    row.try_get(0).map_err(|error| StoreError::database(DOING, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_whole_or_not_at_all() {
        let mut clients = Clients::default();
        clients.add("0000000000ff 00:03:00:01:02").unwrap();
        clients.add("0000000000aa 00:03:00:01:03:04").unwrap();
        clients.sort();
        let row = "0000000000aa fd00::1 7 listener active 10 20 5 02:00:00:00:00:07 fe80::7 -";
        let lease = Recalled::read(row, &clients).unwrap();
        assert_eq!(lease.leased, "fd00::1".parse().unwrap());
        assert_eq!(lease.duid, "00:03:00:01:03:04".parse().unwrap());
        assert_eq!(
            (lease.iaid, lease.source, lease.state),
            (Iaid(7), LeaseSource::Listener, LeaseState::Active)
        );
        let times = [lease.preferred_until, lease.valid_until, lease.changed];
        assert_eq!(times, [Timestamp(10), Timestamp(20), Timestamp(5)]);
        let place = Place {
            link_layer: Some([2, 0, 0, 0, 0, 7]),
            link_local: "fe80::7".parse().ok(),
            relay: None,
        };
        assert_eq!(lease.place, place);
        let relayed = "0000000000aa fd00::1 7 listener active 10 20 5 - - fe80::9";
        let relayed = Recalled::read(relayed, &clients).unwrap().place;
        assert_eq!(relayed.relay, "fe80::9".parse().ok());
        assert_eq!((relayed.link_layer, relayed.link_local), (None, None));
        for bad in [
            "0000000000aa fd00::1 7 listener active 10 20",
            "0000000000aa fd00::1 7 listener active 10 20 5",
            "0000000000aa fd00::1 7 listener active 10 20 5 - fe80 -",
            "0000000000aa fd00::1 -7 listener active 10 20 5 - - -",
            "0000000000ab fd00::1 7 listener active 10 20 5 - - -",
        ] {
            assert!(Recalled::read(bad, &clients).is_err(), "{bad}");
        }
        assert!(clients.add("0000000000ab").is_err());
    }
}
