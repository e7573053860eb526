//! All statements of the store.

use sqlx::Executor;

use super::connection::{on, within};
use super::{
    Store, StoreError, authorized_keys, backup, batch, clients, clock, destroy, due, elsewhere, events, examine,
    expire, given, guard, hosts, identity, images, instances, known, kv, leader, leases, ledger, migrate, pauses, ping,
    plan, promises, prune, recall, reservations, routed, sealed, services, situation, templates, times, tokens, update,
    volumes, weigh,
};

const ALL: &[&[&str]] = &[
    authorized_keys::STATEMENTS,
    clock::STATEMENTS,
    backup::STATEMENTS,
    batch::STATEMENTS,
    clients::STATEMENTS,
    destroy::STATEMENTS,
    due::STATEMENTS,
    elsewhere::STATEMENTS,
    events::STATEMENTS,
    examine::STATEMENTS,
    expire::STATEMENTS,
    given::STATEMENTS,
    guard::STATEMENTS,
    hosts::STATEMENTS,
    identity::STATEMENTS,
    instances::STATEMENTS,
    known::STATEMENTS,
    leader::STATEMENTS,
    leases::STATEMENTS,
    migrate::STATEMENTS,
    pauses::STATEMENTS,
    ping::STATEMENTS,
    plan::STATEMENTS,
    promises::STATEMENTS,
    prune::STATEMENTS,
    recall::STATEMENTS,
    reservations::STATEMENTS,
    routed::STATEMENTS,
    situation::STATEMENTS,
    templates::STATEMENTS,
    times::STATEMENTS,
    tokens::STATEMENTS,
    update::STATEMENTS,
    weigh::STATEMENTS,
];

impl Store {
    /// Makes the database prepare all statements without running any. Returns their number.
    ///
    /// # Errors
    ///
    /// When the schema does not match a statement, or the database is unreachable.
    pub async fn prepare_all(&self) -> Result<usize, StoreError> {
        let mut tx = self.snapshot().await?;
        let mut prepared = 0;
        let many = batch::MANY.into_iter().chain(plan::MANY);
        let many = many.chain(expire::MANY).chain(ledger::many());
        let many: Vec<&str> = many.flat_map(|many| many.texts(&tx)).collect();
        for sql in ALL
            .iter()
            .chain(sealed::ALL)
            .chain(volumes::ALL)
            .chain(images::ALL)
            .chain(&kv::ALL)
            .chain(services::ALL)
            .copied()
            .flatten()
            .copied()
            .chain(many)
        {
            on!(&mut tx, connection => within("prepare a statement", async {
                connection.prepare(sqlx::SqlStr::from_static(sql)).await.map(drop)
            }).await)?;
            prepared += 1;
        }
        Ok(prepared)
    }
}
