//! Bindings that are in a server's database before it starts, made in each database's own way.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::net::Ipv6Addr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

/// The lease of each is this long from now.
const VALID: Duration = Duration::from_secs(3600);

/// The address of a client, by its number from 1 on. No group of it is zero but the last, so that its text is easily
/// made in SQL.
pub(crate) fn address(number: u32) -> Ipv6Addr {
    let [high, low] = [number >> 16, number & 0xffff].map(|half| half as u16);
    Ipv6Addr::new(0xfd39, 0x9706, 0x2786, 0x6333, 1, 1, high + 1, low)
}

fn duid(number: u32) -> String {
    let [a, b, c, d] = number.to_be_bytes();
    format!("00:03:00:01:02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// Fills the tables of this project's daemon.
pub(crate) fn orchestrator(url: &str, count: u32) -> Result<()> {
    let now = now()? * 1000;
    let until = now + VALID.as_secs() * 1000;
    // The two differ in how a row is made of a number, and in nothing else. The ids of clients are random: in an order
    // they would be looked up faster than they are.
    let (numbers, client, duid, address) = if url.starts_with("sqlite:") {
        (
            format!(
                "(with recursive n(i) as (select 1 union all select i + 1 from n where i < {count}) select i from n)"
            ),
            "printf('%012x', (i * 25214903917) % 281474976710656)",
            "printf('00:03:00:01:02:00:%02x:%02x:%02x:%02x', i >> 24, (i >> 16) & 255, (i >> 8) & 255, i & 255)",
            "printf('fd39:9706:2786:6333:1:1:%x:%x', (i >> 16) + 1, i & 65535)",
        )
    } else {
        (
            format!("generate_series(1, {count}::bigint) as n(i)"),
            "lpad(to_hex((i * 25214903917) % 281474976710656), 12, '0')",
            "'00:03:00:01:02:00:' || regexp_replace(lpad(to_hex(i), 8, '0'), '(..)(..)(..)(..)', '\\1:\\2:\\3:\\4')",
            "'fd39:9706:2786:6333:1:1:' || to_hex((i >> 16) + 1) || ':' || to_hex(i & 65535)",
        )
    };
    let clients = format!(
        "insert into clients (id, link, duid, link_layer, hostname, wants_instance, first_seen, last_seen)
         select {client}, 'br0', {duid}, null, null, 1, {now}, {now} from {numbers}"
    );
    let leases = format!(
        "insert into leases (link, address, client, iaid, source, state, preferred_until, valid_until, granted, changed,
            due)
         select 'br0', {address}, {client}, i, 'listener', 'active', {until}, {until}, {now}, {now}, {until} from {numbers}"
    );
    run(url, &[&clients, &leases])
}

/// Fills Kea's tables. The triggers that count would take for ever over one large insert: they are done by hand.
pub(crate) fn kea_postgres(url: &str, count: u32) -> Result<()> {
    let leases = format!(
        "insert into lease6 (address, duid, valid_lifetime, expire, subnet_id, pref_lifetime, lease_type, iaid,
            prefix_len, fqdn_fwd, fqdn_rev, hostname, state, hwaddr, hwtype, hwaddr_source)
         select 'fd39:9706:2786:6333:1:1:' || to_hex((i >> 16) + 1) || ':' || to_hex(i & 65535),
            decode('000300010200' || lpad(to_hex(i), 8, '0'), 'hex'), 3600, date_trunc('second', now()) + interval '1 hour', 1, 3600, 0, i,
            128, false, false, '', 0, decode('0200' || lpad(to_hex(i), 8, '0'), 'hex'), 1, 2
         from generate_series(1, {count}) as n(i)"
    );
    let total = format!("insert into lease6_stat values (1, 0, 0, {count})");
    run(
        url,
        &[
            "alter table lease6 disable trigger user",
            &leases,
            "alter table lease6 enable trigger user",
            &total,
        ],
    )
}

/// Writes Kea's lease file.
pub(crate) fn kea(file: &Path, count: u32) -> Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    writeln!(
        out,
        "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,\
         hostname,hwaddr,state,user_context,hwtype,hwaddr_source"
    )?;
    let until = now()? + VALID.as_secs();
    for number in 1..=count {
        let (address, duid) = (address(number), duid(number));
        writeln!(out, "{address},{duid},3600,{until},1,3600,0,{number},128,0,0,,,0,,,")?;
    }
    Ok(out.flush()?)
}

/// Writes dnsmasq's lease file.
pub(crate) fn dnsmasq(file: &Path, count: u32) -> Result<()> {
    let until = now()? + VALID.as_secs();
    let mut text = "duid 00:03:00:01:02:ff:00:00:00:01\n".to_owned();
    for number in 1..=count {
        writeln!(text, "{until} {number} {} * {}", address(number), duid(number))?;
    }
    Ok(fs::write(file, text)?)
}

/// Runs statements, and then has the database look at what it got.
fn run(url: &str, statements: &[&str]) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let statements = || statements.iter().map(|text| sqlx::AssertSqlSafe((*text).to_owned()));
    runtime.block_on(async {
        if url.starts_with("sqlite:") {
            let mut connection = SqliteConnection::connect(url).await?;
            for statement in statements() {
                connection.execute(statement).await?;
            }
            connection.execute("pragma wal_checkpoint(truncate)").await?;
            connection.close().await?;
        } else {
            let mut connection = PgConnection::connect(url).await?;
            for statement in statements() {
                connection.execute(statement).await?;
            }
            connection.execute("vacuum analyze").await?;
            connection.execute("checkpoint").await?;
            connection.close().await?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities() {
        assert_eq!(address(1).to_string(), "fd39:9706:2786:6333:1:1:1:1");
        assert_eq!(address(0x10000).to_string(), "fd39:9706:2786:6333:1:1:2:0");
        assert_eq!(duid(0x0102_0304), "00:03:00:01:02:00:01:02:03:04");
    }
}
