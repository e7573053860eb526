//! What comes of time passing: leases that end, history that is forgotten, spooled events, a clock that is set.
//!
//! One reconciler a file; the driver runs them all.

mod database;
mod examination;
mod expiry;
mod history;
mod local_host;
mod log_lines;
mod spool;
mod wall_clock;

use super::Context;
use super::hosts::Hosts;
use orchestrator_source::dnsmasq::Intake;
use orchestrator_store::Store;

/// Registers what needs no database.
pub(super) fn register_early(context: &Context) {
    let driver = &context.driver;
    driver.register(wall_clock::registration(), wall_clock::WallClock::new(context));
    driver.register(log_lines::registration(), log_lines::LogLines::new(context));
}

/// Registers what works on the database.
pub(super) fn register(context: &Context, store: &Store, intake: Intake, hosts: Hosts) {
    let driver = &context.driver;
    driver.register(database::registration(), database::Database::new(context, store));
    driver.register(examination::registration(), examination::Examination::new(store));
    driver.register(expiry::registration(), expiry::Expiry::new(context, store));
    let local = local_host::LocalHost::new(context, store, hosts);
    driver.register(local_host::registration(), local);
    driver.register(history::registration(), history::History::new(context, store));
    driver.register(spool::registration(), spool::SpoolIntake::new(context, intake));
}
