//! What leads connections to the endpoints of services: HAProxy by name, and the kernel by virtual address.
//!
//! ```text
//!   [balancer] of the settings ──▶ keep: the service `balancer`
//!
//!   endpoints of services ──┬──▶ names: every instance of the service `balancer` ──▶ its HAProxy
//!                           │     ▲ └── names, proofs in force ──▶ acme ──▶ the authority
//!                           │     └──── certificates, proofs ───────┘
//!                           └──▶ virtuals: slots of the kernel's maps
//!                                    └──▶ routers: this snapshot is in force, and so many connections drain
//! ```

mod acme;
mod archive;
mod board;
mod certificates;
mod keep;
mod names;
mod place;
mod rows;
mod virtuals;

use std::sync::Arc;

use orchestrator_host::Host;
use orchestrator_network::Network;
use orchestrator_runtime::routers::Routers;
use orchestrator_store::Store;

use super::Context;
use super::services::Services;
use acme::Acme;
use board::Board;
use keep::Keeper;
use names::Names;
use rows::Rows;
use virtuals::Virtuals;

/// Leads connections until the daemon stops.
pub(super) async fn register(
    context: &Context,
    store: &Store,
    host: &Arc<dyn Host>,
    network: &Network,
    services: &Services,
    routers: &Routers,
) {
    let keeper = Keeper::new(context, store, services);
    context.driver.register(keep::registration(), keeper);
    let endpoints = services.endpoints();
    let board = Board::new();
    context
        .driver
        .register(acme::registration(), Acme::new(context, store, &board));
    let rows = Rows::new(context, store, endpoints.clone());
    context.driver.register(rows::registration(), rows);
    match Names::new(context, store, host, endpoints.clone(), routers, board) {
        Ok(names) => drop(context.driver.register(names::registration(), names)),
        Err(fault) => tracing::error!(%fault, "no balancer by name"),
    }
    match network.balance(&store.identity().site.to_string()).await {
        Ok(balance) => {
            let virtuals = Virtuals::new(balance, endpoints.clone(), routers);
            context.driver.register(virtuals::registration(), virtuals);
        }
        Err(fault) => {
            let reason = orchestrator_runtime::causes::with_causes(&fault);
            tracing::error!(reason, "no virtual addresses: the kernel gives no socket of netfilter");
        }
    }
}
