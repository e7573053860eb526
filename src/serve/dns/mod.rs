//! The DNS server of each link: names follow what is recorded, and sockets follow the settings.
//!
//! ```text
//!   events of leases and instances ─┐
//!   endpoints of services ──────────┼──▶ names: one directory after another ──watch──▶ sockets of every place
//!   settings ───────────────────────┘                    └──▶ routers: this snapshot is in force
//! ```

mod facts;
mod names;
mod places;
mod sockets;

use std::sync::Arc;

use orchestrator_dns::serve::Parts;
use orchestrator_dns::{Book, Directory, Origins, ReverseZone};
use orchestrator_model::Endpoints;
use orchestrator_runtime::routers::Routers;
use orchestrator_settings::Settings;
use orchestrator_store::Store;
use tokio::sync::watch;

use super::Context;
use names::Names;
use sockets::Faces;

/// Serves until the daemon stops. `interfaces_changed` changes whenever interfaces may have.
pub(super) fn register(
    context: &Context,
    store: &Store,
    endpoints: watch::Receiver<Arc<Endpoints>>,
    routers: &Routers,
    interfaces_changed: watch::Receiver<()>,
) {
    let mut key = [0; 16];
    if let Err(fault) = getrandom::fill(&mut key) {
        tracing::error!(%fault, "no DNS: the kernel gives no random bytes");
        return;
    }
    let origins = origins(&context.settings.get());
    let (sender, directory) = watch::channel(Arc::new(Directory::empty(origins.clone())));
    let (read, is_read) = watch::channel(false);
    let names = Names {
        context: context.clone(),
        // Before anything is read, so that nothing is recorded unseen in between.
        events: store.subscribe(),
        store: store.clone(),
        endpoints,
        router: routers.register("dns"),
        book: Book::new(origins),
        serial: 0,
        event: 0,
        pending: names::Pending::everything(),
        due: None,
        directory: sender,
        shown: None,
        read,
    };
    context.driver.register(Names::registration(), names);
    let parts = Parts {
        names: directory,
        metrics: context.metrics.clone(),
        key,
    };
    context.driver.register(
        Faces::registration(),
        Faces::new(context.clone(), interfaces_changed, is_read, parts),
    );
}

/// The zones of these settings.
fn origins(settings: &Settings) -> Origins {
    let dns = &settings.dns;
    // The names were checked with the settings.
    let origins = Origins::new(&dns.zone, &dns.aliases, dns.ttl);
    let origins = origins.or_else(|| Origins::new("home.arpa", &[], dns.ttl));
    let of_links = settings.links.iter().map(|link| link.prefix());
    let of_networks = settings.networks.iter().map(|network| network.prefix);
    let served = settings.links.iter().filter(|link| link.dns);
    Origins {
        reverse: of_links.chain(of_networks).flat_map(ReverseZone::all_of).collect(),
        servers: served.map(|link| link.address.addr()).collect(),
        ..origins.unwrap_or_else(|| Origins::root(dns.ttl))
    }
}
