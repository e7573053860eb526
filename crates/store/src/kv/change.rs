//! Sets and removes keys.

use super::{KvRow, LARGEST_VALUE, MOST_BYTES_OF_NAMESPACE, MOST_KEYS_OF_NAMESPACE, MOST_NAMESPACES, coding};
use crate::batch::Batch;
use crate::connection::{execute, fetch_all, fetch_optional, statements};
use crate::text::plain;
use crate::writer::Write;
use crate::{Store, StoreError};
use orchestrator_model::{EventKind, KvEntry, KvOwner, KvPath, NewEvent, Timestamp};

statements! {
    FIND = "select version, created from kv where namespace = $1 and key = $2";
    OTHERS = "select count(*), cast(coalesce(sum(size), 0) as bigint) from kv where namespace = $1 and key <> $2";
    COUNT_NAMESPACES = "select count(distinct namespace) from kv";
    LIVE_INSTANCE = "select id from instances where id = $1 and phase not in ('removing', 'removed')";
    LIVE_LEASE = "select address from leases where link = $1 and address = $2 and state = 'active'";
    KNOWN_CLIENT = "select id from clients where id = $1";
    PUT = "insert into kv (namespace, key, value, coding, size, version, created, changed,
            owner_instance, owner_link, owner_address)
        values ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10)
        on conflict (namespace, key) do update set value = excluded.value, coding = excluded.coding,
            size = excluded.size, version = excluded.version, changed = excluded.changed,
            owner_instance = excluded.owner_instance, owner_link = excluded.owner_link,
            owner_address = excluded.owner_address";
    BELOW = "select namespace, key, null as value, coding, size, version, created, changed,
            owner_instance, owner_link, owner_address
        from kv where namespace = $1
            and (key = $2 or ($4 = 1 and (substr(key, 1, length(cast($3 as text))) = $3 or $2 = '')))";
    DELETE = "delete from kv where namespace = $1 and key = $2";
}

/// A value for a key.
#[derive(Debug, Clone)]
pub struct KvWrite {
    /// The key.
    pub path: KvPath,
    /// Its value.
    pub value: Vec<u8>,
    /// The version that the key has to have; 0 if there may be none. `None` for any.
    pub expected: Option<i64>,
    /// The life that the key is bound to from now on.
    pub owner: Option<KvOwner>,
    /// When it is set.
    pub at: Timestamp,
    /// Who sets it.
    pub by: Option<String>,
}

/// The removal of a key, or of all keys below a path.
#[derive(Debug, Clone)]
pub struct KvRemoval {
    /// The key, or the path above the keys.
    pub path: KvPath,
    /// Whether all keys below are removed, too.
    pub recurse: bool,
    /// The version that the key has to have. Not with `recurse`.
    pub expected: Option<i64>,
    /// When they are removed.
    pub at: Timestamp,
    /// Who removes them.
    pub by: Option<String>,
}

impl Store {
    /// Sets a key, with its event. Returns the key without its value.
    ///
    /// # Errors
    ///
    /// [`StoreError::KvChanged`] when the key has another version than expected; [`StoreError::KvTooLarge`] and
    /// [`StoreError::KvFull`] beyond the bounds; [`StoreError::KvOwnerGone`] when what it is bound to has ended, or its
    /// namespace is that of a client that is not known; when the database is unreachable.
    pub async fn put_kv(&self, write: KvWrite) -> Result<KvEntry, StoreError> {
        if write.value.len() > LARGEST_VALUE {
            return Err(StoreError::KvTooLarge {
                path: write.path,
                size: write.value.len(),
            });
        }
        self.write(write).await
    }

    /// Removes a key, or all below a path, with their events. Returns what was removed, without the values. Removing
    /// what is not there is success.
    ///
    /// # Errors
    ///
    /// [`StoreError::KvChanged`] when the key has another version than expected; when the database is unreachable.
    pub async fn remove_kv(&self, removal: KvRemoval) -> Result<Vec<KvEntry>, StoreError> {
        self.write(removal).await
    }
}

/// The event of a change of a key.
pub(super) fn event(
    kind: EventKind,
    path: &KvPath,
    owner: Option<&KvOwner>,
    at: Timestamp,
    by: Option<&str>,
) -> NewEvent {
    let (instance, link) = match owner {
        Some(KvOwner::Instance(id)) => (Some(*id), None),
        Some(KvOwner::Lease { link, .. }) => (None, Some(link.clone())),
        None => (None, None),
    };
    NewEvent {
        instance,
        link,
        detail: Some(path.to_string()),
        by: by.map(|by| plain(by.to_owned())),
        ..NewEvent::new(at, kind)
    }
}

/// Refuses a change of a key that has another version than expected.
fn expect(path: &KvPath, expected: Option<i64>, present: i64) -> Result<(), StoreError> {
    match expected.filter(|expected| *expected != present) {
        None => Ok(()),
        Some(expected) => Err(StoreError::KvChanged {
            path: path.clone(),
            version: present,
            expected,
        }),
    }
}

/// Refuses a key in the namespace of a client that is not known: nothing would remove it.
async fn check_namespace(batch: &mut Batch<'_>, namespace: &str) -> Result<(), StoreError> {
    let Some(client) = namespace.strip_prefix(KvPath::CLIENTS) else {
        return Ok(());
    };
    let found = fetch_optional!(&mut batch.tx, "find a client", (String,), KNOWN_CLIENT, client)?;
    match found {
        Some(_) => Ok(()),
        None => Err(StoreError::KvOwnerGone(format!("client {client}"))),
    }
}

/// Refuses to bind a key to a life that has ended.
async fn check_owner(batch: &mut Batch<'_>, owner: &KvOwner) -> Result<(), StoreError> {
    let (found, what) = match owner {
        KvOwner::Instance(id) => {
            let id = id.to_string();
            let found = fetch_optional!(&mut batch.tx, "find an instance", (String,), LIVE_INSTANCE, &id)?;
            (found, format!("instance {id}"))
        }
        KvOwner::Lease { link, address } => {
            let text = address.to_string();
            let found = fetch_optional!(&mut batch.tx, "find a lease", (String,), LIVE_LEASE, link, text)?;
            (found, format!("the lease of {address} on {link}"))
        }
    };
    match found {
        Some(_) => Ok(()),
        None => Err(StoreError::KvOwnerGone(what)),
    }
}

impl KvWrite {
    /// Refuses a value for which its namespace has no room.
    async fn check_room(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let KvPath { namespace, key } = &self.path;
        let others = fetch_optional!(&mut batch.tx, "count keys", (i64, i64), OTHERS, namespace, key)?;
        let (keys, bytes) = others.unwrap_or_default();
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        let full = |reason: String| Err(StoreError::KvFull { reason });
        if count(keys) >= MOST_KEYS_OF_NAMESPACE {
            return full(format!(
                "namespace {namespace} has {keys} other keys, which is the most"
            ));
        }
        if count(bytes) + self.value.len() as u64 > MOST_BYTES_OF_NAMESPACE {
            let most = MOST_BYTES_OF_NAMESPACE;
            return full(format!(
                "the other values of namespace {namespace} have {bytes} bytes, and all may have {most}"
            ));
        }
        if keys == 0 {
            let all = fetch_optional!(&mut batch.tx, "count namespaces", (i64,), COUNT_NAMESPACES)?;
            if all.is_some_and(|(all,)| count(all) >= MOST_NAMESPACES) {
                return full(format!("there are {MOST_NAMESPACES} namespaces, which is the most"));
            }
        }
        Ok(())
    }
}

impl Write for KvWrite {
    type Output = KvEntry;
    const DOING: &'static str = "set a key";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<KvEntry, StoreError> {
        let KvPath { namespace, key } = &self.path;
        let present = fetch_optional!(&mut batch.tx, "find a key", (i64, i64), FIND, namespace, key)?;
        expect(&self.path, self.expected, present.map_or(0, |(version, _)| version))?;
        check_namespace(batch, namespace).await?;
        self.check_room(batch).await?;
        let (instance, link, address) = match &self.owner {
            Some(owner) => {
                check_owner(batch, owner).await?;
                match owner {
                    KvOwner::Instance(id) => (Some(id.to_string()), None, None),
                    KvOwner::Lease { link, address } => (None, Some(link.clone()), Some(address.to_string())),
                }
            }
            None => (None, None, None),
        };
        let event = event(
            EventKind::KvSet,
            &self.path,
            self.owner.as_ref(),
            self.at,
            self.by.as_deref(),
        );
        let version = batch.append_event(event).await?.id;
        batch.settle().await?;
        let (coding, text) = coding::encode(&self.value);
        let size = self.value.len();
        execute!(
            &mut batch.tx,
            "set a key",
            PUT,
            namespace,
            key,
            text,
            coding,
            size as i64,
            version,
            self.at.0,
            instance,
            link,
            address,
        )?;
        Ok(KvEntry {
            path: self.path.clone(),
            value: None,
            size: size as u64,
            version,
            created: present.map_or(self.at, |(_, created)| Timestamp(created)),
            changed: self.at,
            owner: self.owner.clone(),
        })
    }
}

impl Write for KvRemoval {
    type Output = Vec<KvEntry>;
    const DOING: &'static str = "remove keys";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Vec<KvEntry>, StoreError> {
        let KvPath { namespace, key } = &self.path;
        let (prefix, recurse) = (format!("{key}/"), i64::from(self.recurse));
        let rows = fetch_all!(
            &mut batch.tx,
            "find keys",
            KvRow,
            BELOW,
            namespace,
            key,
            prefix,
            recurse
        )?;
        let found = rows.into_iter().map(KvEntry::try_from);
        let mut found = found.collect::<Result<Vec<_>, _>>()?;
        if !self.recurse {
            expect(
                &self.path,
                self.expected,
                found.first().map_or(0, |entry| entry.version),
            )?;
        }
        found.sort_by(|one, other| one.path.cmp(&other.path));
        remove(batch, &found, self.at, self.by.as_deref()).await?;
        Ok(found)
    }
}

/// Removes these keys, with an event each.
pub(super) async fn remove(
    batch: &mut Batch<'_>,
    entries: &[KvEntry],
    at: Timestamp,
    by: Option<&str>,
) -> Result<(), StoreError> {
    for KvEntry { path, .. } in entries {
        execute!(&mut batch.tx, "remove a key", DELETE, &path.namespace, &path.key)?;
    }
    let removed = entries
        .iter()
        .map(|entry| event(EventKind::KvRemoved, &entry.path, entry.owner.as_ref(), at, by));
    batch.append_events(removed.collect()).await?;
    batch.settle().await
}
