//! What the daemon's database says that clients hold.

use std::net::Ipv6Addr;

use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection, SqliteConnection};

const HELD: &str = "select c.duid, l.address from leases l join clients c on c.id = l.client where l.state = 'active'";

/// DUIDs and addresses of all active leases in the database at `url`.
///
/// # Errors
///
/// When the database is away, or is not the daemon's.
pub fn held(url: &str) -> Result<Vec<(Vec<u8>, Ipv6Addr)>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rows: Vec<(String, String)> = runtime.block_on(async {
        anyhow::Ok(if url.starts_with("sqlite:") {
            let mut connection = SqliteConnection::connect(url).await?;
            sqlx::query_as(HELD).fetch_all(&mut connection).await?
        } else {
            let mut connection = PgConnection::connect(url).await?;
            sqlx::query_as(HELD).fetch_all(&mut connection).await?
        })
    })?;
    rows.iter()
        .map(|(duid, address)| Ok((bytes(duid)?, address.parse()?)))
        .collect()
}

/// Hexadecimal bytes with colons.
fn bytes(text: &str) -> Result<Vec<u8>> {
    let byte = |text| u8::from_str_radix(text, 16).with_context(|| format!("{text:?} in a DUID"));
    text.split(':').map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duids() {
        assert_eq!(bytes("00:03:ff").unwrap(), [0, 3, 255]);
        assert!(bytes("00:zz").is_err());
    }
}
