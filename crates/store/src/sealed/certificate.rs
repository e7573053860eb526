//! Issued certificates as rows.

use sqlx::FromRow;

use super::{IssuedCertificate, SealedRows, Written};
use crate::StoreError;
use crate::batch::Batch;
use crate::connection::{execute, fetch_all, statements};
use crate::text::{Columns, plain};
use crate::writer::Write;
use orchestrator_model::Timestamp;

statements! {
    LIST = "select serial, authority, subject, purpose, created, until, revoked from certificates
        order by created, serial";
    // This also prevents the authority from retiring until the commit.
    ISSUES = "update authorities set until = until where id = $1 and retired is null";
    ADD = "insert into certificates (serial, authority, subject, purpose, created, until)
        values ($1, $2, $3, $4, $5, $6)";
    REVOKE = "update certificates set revoked = $2 where serial = $1 and revoked is null";
    FORGET = "delete from certificates where until < $1";
}

const COLUMNS: Columns = Columns("certificate");

#[derive(FromRow)]
struct CertificateRow {
    serial: String,
    authority: String,
    subject: String,
    purpose: String,
    created: i64,
    until: i64,
    revoked: Option<i64>,
}

impl TryFrom<CertificateRow> for IssuedCertificate {
    type Error = StoreError;

    fn try_from(row: CertificateRow) -> Result<Self, StoreError> {
        Ok(Self {
            authority: COLUMNS.parse("authority", &row.authority)?,
            serial: row.serial,
            subject: row.subject,
            purpose: row.purpose,
            created: Timestamp(row.created),
            until: Timestamp(row.until),
            revoked: row.revoked.map(Timestamp),
        })
    }
}

impl SealedRows {
    /// All recorded certificates, in the order in which they were issued.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn certificates(&self) -> Result<Vec<IssuedCertificate>, StoreError> {
        let mut tx = self.way.read().await?;
        let rows = fetch_all!(&mut tx, "read the certificates", CertificateRow, LIST)?;
        rows.into_iter().map(IssuedCertificate::try_from).collect()
    }

    /// Records a certificate before it is handed out, and deletes those that have ended. [`Written::Outrun`] when its
    /// authority does not issue any more.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn add_certificate(&self, new: IssuedCertificate) -> Result<Written, StoreError> {
        self.way.write(AddCertificate { new }).await
    }

    /// Revokes a certificate. `false` if there is none with this serial number that is not revoked yet.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn revoke_certificate(&self, serial: &str, at: Timestamp) -> Result<bool, StoreError> {
        let serial = serial.to_owned();
        self.way.write(RevokeCertificate { serial, at }).await
    }
}

struct AddCertificate {
    new: IssuedCertificate,
}

impl Write for AddCertificate {
    type Output = Written;
    const DOING: &'static str = "record a certificate";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Written, StoreError> {
        let new = &self.new;
        let authority = new.authority.to_string();
        if execute!(&mut batch.tx, "look who issues", ISSUES, authority.as_str())? == 0 {
            return Ok(Written::Outrun);
        }
        execute!(&mut batch.tx, "forget old certificates", FORGET, new.created.0)?;
        execute!(
            &mut batch.tx,
            "record a certificate",
            ADD,
            new.serial.as_str(),
            authority.as_str(),
            plain(new.subject.clone()),
            new.purpose.as_str(),
            new.created.0,
            new.until.0,
        )?;
        Ok(Written::Done)
    }
}

struct RevokeCertificate {
    serial: String,
    at: Timestamp,
}

impl Write for RevokeCertificate {
    type Output = bool;
    const DOING: &'static str = "revoke a certificate";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<bool, StoreError> {
        let serial = self.serial.as_str();
        Ok(execute!(&mut batch.tx, "revoke a certificate", REVOKE, serial, self.at.0)? > 0)
    }
}
