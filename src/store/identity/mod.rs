//! What is made once and kept, in the database and in a [file] beside it: who this daemon is.

pub(super) mod file;

use std::collections::HashMap;
use std::sync::Arc;

use super::batch::Batch;
use super::connection::{Session, execute, fetch_all, statements};
use super::text::Columns;
use super::{StoreError, identity::file::IdentityFile};
use crate::model::{Duid, Id, SiteId};

statements! {
    INSERT_FACT = "insert into facts (key, value) values ($1, $2) on conflict (key) do nothing";
    ALL_FACTS = "select key, value from facts";
}

const SITE: &str = "site";
const SERVER_DUID: &str = "server-duid";
const ALLOCATION_KEY: &str = "allocation-key";

/// Who this daemon is, for as long as its database or its file lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Marks everything that is made.
    pub site: SiteId,
    /// The server identifier of the DHCPv6 server: a DUID-UUID (RFC 6355).
    pub server_duid: Duid,
    /// Key of the hash by which addresses are chosen, so that no client can foresee another's.
    pub allocation_key: [u8; 16],
}

/// Reads the identity. Where there is none it is made first: of the file, or at random.
pub(super) async fn ensure_identity(
    session: &mut Session,
    file: Option<&IdentityFile>,
) -> Result<Identity, StoreError> {
    let mut batch = Batch::begin(session).await?;
    let kept = file.and_then(IdentityFile::identity).cloned();
    let first = kept.clone().map_or_else(Identity::random, Ok)?;
    let mut made = 0;
    for (key, value) in &first.facts() {
        made += execute!(&mut batch.tx, "make the identity", INSERT_FACT, *key, value.as_str())?;
    }
    let facts = fetch_all!(&mut batch.tx, "read the identity", (String, String), ALL_FACTS)?;
    batch.commit().await?;
    if made > 0 && kept.is_some() {
        tracing::warn!(server = %first.server_duid, "the database is new; the server goes on under the identity that its file has");
    }
    let facts = facts.into_iter().collect();
    Identity::read(&facts).map_err(|key| Columns("fact").bad(key, facts.get(key).map_or("", String::as_str)))
}

impl Identity {
    fn random() -> Result<Self, StoreError> {
        let random = |bytes: &mut [u8]| {
            getrandom::fill(bytes).map_err(|error| StoreError::Random {
                source: Arc::new(std::io::Error::other(error)),
            })
        };
        let mut uuid = [0; 16];
        let mut allocation_key = [0; 16];
        let mut site = [0; 6];
        random(&mut uuid)?;
        random(&mut allocation_key)?;
        random(&mut site)?;
        Ok(Self {
            site: Id::from_bytes(site),
            server_duid: duid_uuid(uuid)?,
            allocation_key,
        })
    }

    /// As it is written, fact by fact.
    fn facts(&self) -> [(&'static str, String); 3] {
        [
            (SITE, self.site.to_string()),
            (SERVER_DUID, self.server_duid.to_string()),
            (ALLOCATION_KEY, hex(&self.allocation_key)),
        ]
    }

    /// The identity that a database's facts tell.
    ///
    /// # Errors
    ///
    /// [`StoreError::Row`] when one of them is missing or cannot be read.
    pub(super) fn of(facts: &HashMap<String, String>) -> Result<Self, StoreError> {
        Self::read(facts).map_err(|key| Columns("fact").bad(key, facts.get(key).map_or("", String::as_str)))
    }

    /// The error is the key of a fact that is missing or cannot be read.
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

/// A DUID of type 4 (RFC 6355) around a random UUID (RFC 9562, version 4).
fn duid_uuid(mut uuid: [u8; 16]) -> Result<Duid, StoreError> {
    uuid[6] = (uuid[6] & 0x0f) | 0x40;
    uuid[8] = (uuid[8] & 0x3f) | 0x80;
    let duid = [&[0, 4][..], &uuid].concat();
    Duid::new(duid).map_err(|error| Columns("fact").bad(SERVER_DUID, error))
}

fn hex(bytes: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_duid_is_a_uuid_of_version_4() {
        let duid = duid_uuid([0xff; 16]).unwrap();
        let bytes = duid.as_bytes();
        assert_eq!(bytes.len(), 18);
        assert_eq!(bytes[..2], [0, 4]);
        assert_eq!(bytes[2 + 6] >> 4, 4);
        assert_eq!(bytes[2 + 8] >> 6, 2);
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
