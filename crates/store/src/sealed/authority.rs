//! Certificate authorities as rows.

use sqlx::FromRow;

use super::secret::{put, remove};
use super::{Authority, SealedRows, Written, is_witness};
use crate::StoreError;
use crate::batch::Batch;
use crate::connection::{Tx, execute, fetch_all, statements};
use crate::text::Columns;
use crate::writer::Write;
use orchestrator_model::{Id, Timestamp};

statements! {
    LIST = "select id, certificate, created, until, retired, trusted_until from authorities
        order by coalesce(retired, 9223372036854775807), created, id";
    ADD = "insert into authorities (id, certificate, created, until, trusted_until) values ($1, $2, $3, $4, $4)";
    // Its certificates are accepted until the last of them ends. If `$3` is 1, they are refused at once.
    RETIRE = "update authorities set retired = $2, trusted_until = case when $3 = 1 then $2 else
            coalesce((select max(c.until) from certificates c where c.authority = $1), $2) end
        where id = $1";
    END = "update authorities set trusted_until = $1 where retired is not null and trusted_until > $1";
}

const COLUMNS: Columns = Columns("certificate authority");

#[derive(FromRow)]
struct AuthorityRow {
    id: String,
    certificate: String,
    created: i64,
    until: i64,
    retired: Option<i64>,
    trusted_until: i64,
}

impl TryFrom<AuthorityRow> for Authority {
    type Error = StoreError;

    fn try_from(row: AuthorityRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: COLUMNS.parse("id", &row.id)?,
            certificate: row.certificate,
            created: Timestamp(row.created),
            until: Timestamp(row.until),
            retired: row.retired.map(Timestamp),
            trusted_until: Timestamp(row.trusted_until),
        })
    }
}

/// A new authority, with its sealed private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAuthority {
    /// Its id.
    pub id: Id,
    /// Its certificate, in PEM.
    pub certificate: String,
    /// When its certificate ends.
    pub until: Timestamp,
    /// Its private key, sealed with the key of the witness.
    pub sealed_key: String,
    /// The present authority as the caller has read it. It retires.
    pub replaces: Option<Id>,
    /// Whether certificates of retired authorities are refused at once.
    pub ends_others: bool,
    /// The present time.
    pub at: Timestamp,
}

/// The name of the secret with an authority's private key.
pub fn authority_key_name(id: Id) -> String {
    format!("ca/{id}")
}

impl SealedRows {
    /// All authorities, in the order in which they retired. The one that issues comes last.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn authorities(&self) -> Result<Vec<Authority>, StoreError> {
        read_all(&mut self.way.read().await?).await
    }

    /// Adds an authority, which issues from now on. The one before retires, and its private key is deleted.
    /// [`Written::Outrun`] when the key or the authority in force is not the one that the caller has read.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn add_authority(&self, seal: &str, new: NewAuthority) -> Result<Written, StoreError> {
        self.way
            .write(AddAuthority {
                seal: seal.to_owned(),
                new,
            })
            .await
    }
}

async fn read_all(tx: &mut Tx<'_>) -> Result<Vec<Authority>, StoreError> {
    let rows = fetch_all!(tx, "read the certificate authorities", AuthorityRow, LIST)?;
    rows.into_iter().map(Authority::try_from).collect()
}

struct AddAuthority {
    seal: String,
    new: NewAuthority,
}

impl Write for AddAuthority {
    type Output = Written;
    const DOING: &'static str = "add a certificate authority";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Written, StoreError> {
        let new = &self.new;
        // This locks the row that all writers of these tables lock, so nobody else adds an authority meanwhile.
        if !is_witness(&mut batch.tx, &self.seal).await? {
            return Ok(Written::Outrun);
        }
        let known = read_all(&mut batch.tx).await?;
        let issuing: Vec<Id> = known
            .iter()
            .filter(|known| known.retired.is_none())
            .map(|known| known.id)
            .collect();
        if issuing != new.replaces.into_iter().collect::<Vec<_>>() {
            return Ok(Written::Outrun);
        }
        if let Some(old) = new.replaces {
            let at_once = i64::from(new.ends_others);
            execute!(
                &mut batch.tx,
                "retire a certificate authority",
                RETIRE,
                old.to_string(),
                new.at.0,
                at_once
            )?;
            remove(batch, &authority_key_name(old)).await?;
        }
        if new.ends_others {
            execute!(&mut batch.tx, "end retired certificate authorities", END, new.at.0)?;
        }
        let (id, certificate) = (new.id.to_string(), new.certificate.as_str());
        execute!(
            &mut batch.tx,
            "add a certificate authority",
            ADD,
            id,
            certificate,
            new.at.0,
            new.until.0
        )?;
        put(batch, &authority_key_name(new.id), &new.sealed_key, new.at).await?;
        Ok(Written::Done)
    }
}
