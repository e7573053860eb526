//! The identity of the daemon, which is made once and kept in the database and in a file.

pub(super) mod file;

use std::collections::HashMap;
use std::hash::Hasher as _;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use super::batch::Batch;
use super::connection::{Session, execute, fetch_all, statements};
use super::guard::BIRTH;
use super::text::Columns;
use super::{StoreError, hosts, identity::file::IdentityFile};
use orchestrator_model::{Duid, Id, SiteId, Timestamp};

statements! {
    INSERT_FACT = "insert into facts (key, value) values ($1, $2) on conflict (key) do nothing";
    ALL_FACTS = "select key, value from facts";
}

const SITE: &str = "site";
const SERVER_DUID: &str = "server-duid";
const ALLOCATION_KEY: &str = "allocation-key";

/// The begin of the time in DUIDs: midnight UTC, January 1, 2000, in seconds since 1970.
const DUID_EPOCH: u64 = 946_684_800;

/// The identity of this daemon, for as long as its database or its file exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The mark of everything that the daemon creates.
    pub site: SiteId,
    /// The server identifier of the DHCPv6 server: a DUID-LLT (RFC 9915, section 11.2). Older sites have a DUID-UUID
    /// (RFC 6355), and keep it.
    pub server_duid: Duid,
    /// The key of the hash that chooses addresses, so that no client can predict another's.
    pub allocation_key: [u8; 16],
}

/// Reads the identity and the other facts that were made once with the database. A missing identity is taken from the
/// file, or made at random.
pub(super) async fn ensure_identity(
    session: &mut Session,
    file: Option<&IdentityFile>,
) -> Result<(Identity, HashMap<String, String>), StoreError> {
    let birth = random_id()?.to_string();
    let mut batch = Batch::begin(session).await?;
    let kept = file.and_then(IdentityFile::identity).cloned();
    let first = kept.clone().map_or_else(Identity::random, Ok)?;
    let mut made = 0;
    for (key, value) in &first.facts() {
        made += execute!(&mut batch.tx, "make the identity", INSERT_FACT, *key, value.as_str())?;
    }
    execute!(&mut batch.tx, "make the identity", INSERT_FACT, BIRTH, birth.as_str())?;
    hosts::ensure_local(&mut batch, made_at(SystemTime::now())).await?;
    let facts = fetch_all!(&mut batch.tx, "read the identity", (String, String), ALL_FACTS)?;
    batch.commit().await?;
    if made > 0 && kept.is_some() {
        tracing::warn!(server = %first.server_duid, "the database is new; the server goes on under the identity that its file has");
    }
    let facts: HashMap<String, String> = facts.into_iter().collect();
    let read = Identity::read(&facts);
    let identity = read.map_err(|key| Columns("fact").bad(key, facts.get(key).map_or("", String::as_str)))?;
    Ok((identity, facts))
}

/// The time for this host's row, if this start creates it. The daemon's clock does not run yet.
fn made_at(now: SystemTime) -> Timestamp {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Timestamp(i64::try_from(since).unwrap_or(i64::MAX))
}

/// A new random id. Fails if the operating system gives no random bytes.
pub(super) fn random_id() -> Result<Id, StoreError> {
    Id::random().map_err(|source| StoreError::Random {
        source: Arc::new(source),
    })
}

impl Identity {
    /// The mark by which what was made for a client is given back to it, if the database is lost. Nobody who reads it
    /// finds out the DUID.
    pub fn mark_of(&self, client: &Duid) -> String {
        let mut hasher = SipHasher24::new_with_key(&self.allocation_key);
        // These eight bytes begin no other hash under this key: hashes of addresses begin with a DUID's length.
        hasher.write(b"instance");
        hasher.write(client.as_bytes());
        format!("{:032x}", hasher.finish128().as_u128())
    }

    fn random() -> Result<Self, StoreError> {
        let random = |bytes: &mut [u8]| {
            getrandom::fill(bytes).map_err(|error| StoreError::Random {
                source: Arc::new(std::io::Error::other(error)),
            })
        };
        let mut address = [0; 6];
        let mut allocation_key = [0; 16];
        let mut site = [0; 6];
        random(&mut address)?;
        random(&mut allocation_key)?;
        random(&mut site)?;
        Ok(Self {
            site: Id::from_bytes(site),
            server_duid: duid_llt(SystemTime::now(), address)?,
            allocation_key,
        })
    }

    /// The facts in which the identity is stored.
    fn facts(&self) -> [(&'static str, String); 3] {
        [
            (SITE, self.site.to_string()),
            (SERVER_DUID, self.server_duid.to_string()),
            (ALLOCATION_KEY, hex(&self.allocation_key)),
        ]
    }

    /// The identity in the facts of a database.
    ///
    /// # Errors
    ///
    /// [`StoreError::Row`] when one of them is missing or cannot be read.
    pub(super) fn of(facts: &HashMap<String, String>) -> Result<Self, StoreError> {
        Self::read(facts).map_err(|key| Columns("fact").bad(key, facts.get(key).map_or("", String::as_str)))
    }

    /// Reads the facts. The error is the key of a fact that is missing or cannot be read.
    fn read(facts: &HashMap<String, String>) -> Result<Self, &'static str> {
        let fact = |key: &'static str| facts.get(key).map(String::as_str).ok_or(key);
        let key = fact(ALLOCATION_KEY)?;
        let digits = Some(key).filter(|key| key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let key = digits.and_then(|key| u128::from_str_radix(key, 16).ok());
        Ok(Self {
            site: fact(SITE)?.parse().map_err(|_| SITE)?,
            server_duid: fact(SERVER_DUID)?.parse().map_err(|_| SERVER_DUID)?,
            allocation_key: key.ok_or(ALLOCATION_KEY)?.to_be_bytes(),
        })
    }
}

/// A DUID of type 1 (RFC 9915, section 11.2) from this time and a link-layer address, which is changed into one that no
/// device has.
///
/// Clients are to accept a DUID of any type. But captures show game consoles that ignore an Advertise whose server has
/// a DUID of type 4, which is newer than they are. Most other servers have type 1.
fn duid_llt(now: SystemTime, mut address: [u8; 6]) -> Result<Duid, StoreError> {
    // Locally administered, and not a group address.
    address[0] = (address[0] & 0xfc) | 0x02;
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // Modulo 2³², as in the standard.
    let [_, _, _, _, time @ ..] = since.saturating_sub(DUID_EPOCH).to_be_bytes();
    let duid = [&[0, 1, 0, 1][..], &time, &address].concat();
    Duid::new(duid).map_err(|error| Columns("fact").bad(SERVER_DUID, error))
}

fn hex(bytes: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_server_duid_is_of_a_type_that_old_clients_know_and_of_no_device() {
        let now = UNIX_EPOCH + Duration::from_secs(DUID_EPOCH + 0x0102_0304);
        let duid = duid_llt(now, [0xff; 6]).unwrap();
        let llt = [0, 1, 0, 1, 1, 2, 3, 4, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(duid.as_bytes(), llt);
        // A clock that was never set must not prevent a DUID.
        let unset = duid_llt(UNIX_EPOCH, [0; 6]).unwrap();
        assert_eq!(unset.as_bytes()[4..9], [0, 0, 0, 0, 2]);
        let [one, other] = [Identity::random(), Identity::random()].map(Result::unwrap);
        assert_ne!(one.server_duid, other.server_duid);
    }

    #[test]
    fn written_and_read_back() {
        let fresh = Identity::random().unwrap();
        let facts = fresh.facts().map(|(key, value)| (key.to_owned(), value));
        assert_eq!(Identity::read(&facts.into_iter().collect()).unwrap(), fresh);
    }

    #[test]
    fn a_damaged_fact_is_named() {
        let fresh = Identity::random().unwrap();
        for key in [SITE, SERVER_DUID, ALLOCATION_KEY] {
            let mut facts: HashMap<_, _> = fresh
                .facts()
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect();
            facts.insert(key.to_owned(), "+1".to_owned());
            assert_eq!(Identity::read(&facts), Err(key));
            facts.remove(key);
            assert_eq!(Identity::read(&facts), Err(key));
        }
    }
}
