//! What is made once with the database and kept: who this daemon is.

use std::collections::HashMap;
use std::sync::Arc;

use super::StoreError;
use super::batch::Batch;
use super::connection::{Session, execute, fetch_all, statements};
use super::text::Columns;
use crate::model::{Duid, Id, SiteId};

statements! {
    INSERT_FACT = "insert into facts (key, value) values ($1, $2) on conflict (key) do nothing";
    ALL_FACTS = "select key, value from facts";
}

const SITE: &str = "site";
const SERVER_DUID: &str = "server-duid";
const ALLOCATION_KEY: &str = "allocation-key";

/// Who this daemon is, for as long as its database lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Marks everything that is made.
    pub site: SiteId,
    /// The server identifier of the DHCPv6 server: a DUID-UUID (RFC 6355).
    pub server_duid: Duid,
    /// Key of the hash by which addresses are chosen, so that no client can foresee another's.
    pub allocation_key: [u8; 16],
}

/// Reads the identity; makes it first where there is none.
pub(super) async fn ensure_identity(session: &mut Session) -> Result<Identity, StoreError> {
    let mut batch = Batch::new(session.begin().await?);
    let fresh = Identity::random()?;
    let facts = [
        (SITE, fresh.site.to_string()),
        (SERVER_DUID, fresh.server_duid.to_string()),
        (ALLOCATION_KEY, hex(&fresh.allocation_key)),
    ];
    for (key, value) in &facts {
        execute!(&mut batch.tx, "make the identity", INSERT_FACT, *key, value.as_str())?;
    }
    let facts = fetch_all!(&mut batch.tx, "read the identity", (String, String), ALL_FACTS)?;
    batch.commit().await?;
    Identity::read(&facts.into_iter().collect())
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

    fn read(facts: &HashMap<String, String>) -> Result<Self, StoreError> {
        let columns = Columns("fact");
        let fact = |key: &'static str| facts.get(key).map(String::as_str).unwrap_or_default();
        let key: u128 = u128::from_str_radix(fact(ALLOCATION_KEY), 16)
            .map_err(|_| columns.bad(ALLOCATION_KEY, fact(ALLOCATION_KEY)))?;
        Ok(Self {
            site: columns.parse(SITE, fact(SITE))?,
            server_duid: columns.parse(SERVER_DUID, fact(SERVER_DUID))?,
            allocation_key: key.to_be_bytes(),
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
        let facts = [
            (SITE.to_owned(), fresh.site.to_string()),
            (SERVER_DUID.to_owned(), fresh.server_duid.to_string()),
            (ALLOCATION_KEY.to_owned(), hex(&fresh.allocation_key)),
        ];
        assert_eq!(Identity::read(&facts.into_iter().collect()).unwrap(), fresh);
    }

    #[test]
    fn a_damaged_fact_is_named() {
        let error = Identity::read(&HashMap::new()).unwrap_err().to_string();
        assert!(error.contains(ALLOCATION_KEY), "{error}");
    }
}
