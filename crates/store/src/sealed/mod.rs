//! Secrets and certificate authorities as rows. The rows hold sealed text: the store has no key, and opens nothing.
//!
//! One row, [`SEAL`], is the witness of the key with which all rows are sealed. Every write names the witness that its
//! caller has read, and is refused if the row has changed. So no row can be sealed with a key that was just replaced.
//! The statement that compares the witness also locks its row until the commit.

mod authority;
mod certificate;
mod reseal;
mod secret;
mod users;
mod way;

use orchestrator_model::{Id, Timestamp};

use super::connection::{Tx, execute, statements};
use super::{Store, StoreError};
pub use authority::{NewAuthority, authority_key_name};
pub use reseal::Resealed;
use way::Way;

statements! {
    IS_WITNESS = "update secrets set sealed = sealed where name = 'seal' and sealed = $1";
}

/// All statements on these rows.
pub(super) const ALL: &[&[&str]] = &[
    STATEMENTS,
    authority::STATEMENTS,
    certificate::STATEMENTS,
    reseal::STATEMENTS,
    secret::STATEMENTS,
];

/// The name of the row that is the witness of the key.
pub const SEAL: &str = "seal";

/// A secret as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// Its name.
    pub name: String,
    /// The sealed value.
    pub sealed: String,
    /// When it was made.
    pub created: Timestamp,
    /// When a new key last sealed it; `None` if that never happened.
    pub rotated: Option<Timestamp>,
}

/// A certificate authority. Its private key is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Its id, which is also in the subject of its certificate.
    pub id: Id,
    /// Its certificate, in PEM.
    pub certificate: String,
    /// When it was made.
    pub created: Timestamp,
    /// When its certificate ends.
    pub until: Timestamp,
    /// When it stopped issuing; `None` if it issues.
    pub retired: Option<Timestamp>,
    /// Until when its certificates are accepted.
    pub trusted_until: Timestamp,
}

/// A certificate that an authority has issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// Its serial number: hexadecimal digits.
    pub serial: String,
    /// The authority that issued it.
    pub authority: Id,
    /// The common name of its subject.
    pub subject: String,
    /// Its purposes, as words with a space between them.
    pub purpose: String,
    /// When it was issued.
    pub created: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

/// Whether a write was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a write that was outrun has to be made again from what is there now"]
pub enum Written {
    /// It was made, and is durable.
    Done,
    /// It was not made, because the key or the authority in force is not the one that the caller has read. Read and try
    /// again.
    Outrun,
}

/// The rows of secrets and authorities, accessed through the daemon's store or by separate connections.
#[derive(Debug, Clone)]
pub struct SealedRows {
    way: Way,
}

impl Store {
    /// The sealed rows of this store.
    pub fn sealed(&self) -> SealedRows {
        SealedRows {
            way: Way::Daemon(self.clone()),
        }
    }
}

impl SealedRows {
    /// The sealed rows of the database at `url`, whether or not a daemon uses it; `None` while there is no database.
    /// Reading them changes nothing.
    ///
    /// # Errors
    ///
    /// When the URL names no database, the database is unreachable, or its schema is not this program's.
    pub async fn beside(url: &str) -> Result<Option<Self>, StoreError> {
        Ok(Way::beside(url).await?.map(|way| Self { way }))
    }

    /// Closes separate connections. Those of a daemon's store stay open.
    pub async fn close(&self) {
        self.way.close().await;
    }
}

/// Whether the witness of the key is still `seal`. It cannot change before the end of the transaction.
async fn is_witness(tx: &mut Tx<'_>, seal: &str) -> Result<bool, StoreError> {
    Ok(execute!(tx, "look which key is in force", IS_WITNESS, seal)? == 1)
}
