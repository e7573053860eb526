//! What the packet filter has counted, in the words of the policy.

use orchestrator_network::{ByCause, FilterCounts};

use super::apply::PolicyState;
use super::book::Book;
use crate::local::LocalHost;
use crate::{Cause, Count, DropCause, PolicyCounts};

impl LocalHost {
    pub(in crate::local) async fn count_policy(&self) -> Result<PolicyCounts, Cause> {
        let filter = {
            let state = self.inner.policy.lock().await;
            state.opened.as_ref().map(|opened| opened.filter.clone())
        };
        let filter = match filter {
            Some(filter) => filter,
            None => self.open_filter().await?,
        };
        let counts = filter.counts().await?;
        Ok(in_words(counts, &*self.inner.policy.lock().await))
    }
}

fn in_words(counts: FilterCounts, state: &PolicyState) -> PolicyCounts {
    let mut all = PolicyCounts {
        causes: by_cause(counts.causes),
        ports: counts
            .interfaces
            .into_iter()
            .map(|(port, causes)| (port, by_cause(causes)))
            .collect(),
        clients: counts
            .macs
            .into_iter()
            .map(|(mac, causes)| (mac, by_cause(causes)))
            .collect(),
        routed: counts
            .routed
            .into_iter()
            .map(|(address, causes)| (address, by_cause(causes)))
            .collect(),
        used: counts
            .used_ports
            .into_iter()
            .map(|(port, used)| (port, count(used)))
            .collect(),
        rebuilt: state.repairs.foreign(),
        rebuilds: state.repairs.counts().clone(),
        compared: state.repairs.compared(),
        ..PolicyCounts::default()
    };
    if let Some(opened) = &state.opened {
        place(&mut all, &opened.book);
    }
    for (address, used) in counts.used_addresses {
        let book = state.opened.as_ref().map(|opened| &opened.book);
        if let Some(port) = book.and_then(|book| book.port_of(address)) {
            let of = all.used.entry(port.to_owned()).or_default();
            of.packets += used.0;
            of.bytes += used.1;
        }
    }
    all
}

/// Says where the senders are, and how large the sets are.
fn place(all: &mut PolicyCounts, book: &Book) {
    for address in all.routed.keys() {
        let port = book.port_of(*address).map(str::to_owned);
        all.routed_ports.extend(port.map(|port| (*address, port)));
    }
    for port in all.ports.keys().chain(all.routed_ports.values()) {
        let bridge = book.bridge_of(port).map(str::to_owned);
        all.bridges.extend(bridge.map(|bridge| (port.clone(), bridge)));
    }
    all.elements = book.sizes();
}

fn count((packets, bytes): (u64, u64)) -> Count {
    Count { packets, bytes }
}

fn by_cause(causes: ByCause) -> std::collections::BTreeMap<DropCause, Count> {
    let named = |name: &str| {
        DropCause::ALL
            .into_iter()
            .find(|cause| cause.code().replace('-', "_") == name)
    };
    let each = causes.into_iter();
    each.filter_map(|(name, counted)| Some((named(name)?, count(counted))))
        .collect()
}
