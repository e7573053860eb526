//! Reads the recorded bindings of a link.

use orchestrator_dhcp6::{Binding, BindingState, Bindings};

use orchestrator_model::{LeaseSource, LeaseState, Leased, Timestamp};
use orchestrator_store::{Recalled, Store, StoreError};

/// Reads the bindings of a link from the store.
///
/// # Errors
///
/// When the store does not answer, or a row cannot be read.
pub async fn recall(store: &Store, link: &str) -> Result<Bindings, StoreError> {
    let leases = store.recall(link).await?;
    let mut bindings = Bindings::new();
    bindings.reserve(leases.count());
    let mut prefixes: Vec<(Timestamp, Binding)> = Vec::new();
    let take = |lease: Recalled| match (lease.source, lease.leased) {
        // The lease of a host that was only observed is left out.
        (LeaseSource::Neighbor, _) => {}
        (LeaseSource::Registration, _) => bindings.load_registration(binding(lease)),
        // Each address has one row.
        (LeaseSource::Listener | LeaseSource::Dnsmasq, Leased::Address(_)) => bindings.load(binding(lease)),
        (LeaseSource::Listener | LeaseSource::Dnsmasq, Leased::Prefix(_)) => {
            prefixes.push((lease.changed, binding(lease)))
        }
    };
    leases.each(take).await?;
    // If two prefixes of different lengths begin with the same bits, the younger one counts.
    prefixes.sort_by_key(|(changed, _)| *changed);
    prefixes.into_iter().for_each(|(_, binding)| bindings.load(binding));
    Ok(bindings)
}

fn binding(lease: Recalled) -> Binding {
    let state = match lease.state {
        LeaseState::Active => BindingState::Active,
        LeaseState::Released => BindingState::Released,
        LeaseState::Expired => BindingState::Expired,
        LeaseState::Declined => BindingState::Declined,
    };
    Binding {
        duid: lease.duid,
        iaid: lease.iaid,
        leased: lease.leased,
        state,
        preferred_until: lease.preferred_until.0,
        valid_until: lease.valid_until.0,
        place: lease.place,
    }
}
