//! How many leases a second the store makes durable, by callers who wait for their commit; and, as the yardstick in
//! the same run, a bare insert with a commit of its own.
//!
//! The PostgreSQL server of the lab does not sync to disk; SQLite does.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use orchestrator::model::{Duid, GrantedTo, Iaid, LeaseChange, LeaseSource, LeaseVerb, Timestamp};
use orchestrator::store::Store;
use orchestrator_lab::{Lab, Postgres};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use tokio::task::JoinSet;

/// How long each number is measured.
const SPAN: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> Result<()> {
    let lab = Lab::new()?;
    let sqlite = format!("sqlite://{}/orchestrator.db", lab.directory().display());
    let server = Postgres::start(&lab)?;
    println!(
        "{:<16}{:>10}{:>16}{:>14}{:>14}",
        "database", "callers", "leases/s", "median", "p99"
    );
    bare("sqlite", bare_sqlite(&lab).await?);
    measure("sqlite", &sqlite).await?;
    bare("postgres", bare_postgres(&server.database()?).await?);
    measure("postgres", &server.database()?).await
}

async fn measure(database: &str, url: &str) -> Result<()> {
    let store = Store::open(url).await?;
    let rows = Arc::new(AtomicU32::new(0));
    for (verb, repeat) in [("grant", false), ("renew", true)] {
        for callers in [1, 16, 64, 256] {
            rows.store(if repeat { 0 } else { rows.load(Ordering::Relaxed) }, Ordering::Relaxed);
            let took = crowd(&store, &rows, callers, repeat).await?;
            let rate = took.len() as f64 / SPAN.as_secs_f64();
            line(&format!("{database} {verb}"), &callers.to_string(), rate, took);
        }
    }
    for group in [64, 512] {
        for repeat in [false, true] {
            let took = groups(&store, &rows, group, repeat).await?;
            let rate = took.len() as f64 * f64::from(group) / SPAN.as_secs_f64();
            let what = if repeat { "renew" } else { "grant" };
            line(&format!("{database} {what}"), &format!("group {group}"), rate, took);
        }
    }
    store.close().await;
    Ok(())
}

/// Has one caller record groups of leases one after the other, as a listener does; gives how long each took.
async fn groups(store: &Store, rows: &AtomicU32, group: u32, repeat: bool) -> Result<Vec<Duration>> {
    let end = Instant::now() + SPAN;
    let mut took = Vec::new();
    while Instant::now() < end {
        let first = if repeat {
            0
        } else {
            rows.fetch_add(group, Ordering::Relaxed)
        };
        let changes = (first..first + group).map(hold).collect::<Result<_>>()?;
        let began = Instant::now();
        store.record_leases(changes).await?;
        took.push(began.elapsed());
    }
    Ok(took)
}

/// Has `callers` record leases one after the other; gives how long each waited.
async fn crowd(store: &Store, rows: &Arc<AtomicU32>, callers: usize, repeat: bool) -> Result<Vec<Duration>> {
    let end = Instant::now() + SPAN;
    let mut crowd = JoinSet::new();
    for _ in 0..callers {
        let (store, rows) = (store.clone(), rows.clone());
        crowd.spawn(async move {
            let mut took = Vec::new();
            while Instant::now() < end {
                let row = rows.fetch_add(1, Ordering::Relaxed);
                let change = hold(if repeat { row % 1024 } else { row })?;
                let began = Instant::now();
                store.record_leases(vec![change]).await?;
                took.push(began.elapsed());
            }
            anyhow::Ok(took)
        });
    }
    let mut took = Vec::new();
    while let Some(one) = crowd.join_next().await {
        took.extend(one??);
    }
    Ok(took)
}

fn hold(n: u32) -> Result<LeaseChange> {
    let [a, b, c, d] = n.to_be_bytes();
    let [_, _, high, low] = [a, b, c, d].map(u16::from);
    Ok(LeaseChange {
        verb: LeaseVerb::Hold,
        link: "br0".to_owned(),
        duid: Duid::new([0, 3, 0, 1, 2, 0, a, b, c, d])?,
        iaid: Iaid(1),
        leased: Ipv6Addr::new(0xfd39, 0, 0, 0, u16::from(a), u16::from(b), high, low).into(),
        next_hop: None,
        class: None,
        source: LeaseSource::Listener,
        preferred_until: Timestamp(2_000_000_000_000),
        valid_until: Timestamp(2_000_000_000_000),
        link_layer: None,
        granted_to: GrantedTo::default(),
        hostname: None,
        at: Timestamp::wall(),
        replayed: false,
    })
}

fn bare(database: &str, took: Vec<Duration>) {
    line(database, "bare", took.len() as f64 / SPAN.as_secs_f64(), took);
}

fn line(what: &str, callers: &str, rate: f64, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |part: usize| took.get(took.len() * part / 100).copied().unwrap_or_default();
    println!("{what:<16}{callers:>10}{rate:>16.0}{:>14.1?}{:>14.1?}", at(50), at(99));
}

const TABLE: &str = "create table bare (id bigint primary key, text text)";
const INSERT: &str = "insert into bare values ($1, $2)";

async fn bare_sqlite(lab: &Lab) -> Result<Vec<Duration>> {
    let mut connection = SqliteConnectOptions::new()
        .filename(lab.directory().join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await?;
    connection.execute(TABLE).await?;
    let end = Instant::now() + SPAN;
    let mut took = Vec::new();
    while Instant::now() < end {
        let began = Instant::now();
        let row = i64::try_from(took.len())?;
        sqlx::query(INSERT)
            .bind(row)
            .bind("a lease")
            .execute(&mut connection)
            .await?;
        took.push(began.elapsed());
    }
    connection.close().await?;
    Ok(took)
}

async fn bare_postgres(url: &str) -> Result<Vec<Duration>> {
    let mut connection = PgConnection::connect(url).await?;
    connection.execute(TABLE).await?;
    let end = Instant::now() + SPAN;
    let mut took = Vec::new();
    while Instant::now() < end {
        let began = Instant::now();
        let row = i64::try_from(took.len())?;
        sqlx::query(INSERT)
            .bind(row)
            .bind("a lease")
            .execute(&mut connection)
            .await?;
        took.push(began.elapsed());
    }
    connection.close().await?;
    Ok(took)
}
