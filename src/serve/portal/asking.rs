//! Which client asks, by the address that it asks from.

use std::net::Ipv6Addr;

use orchestrator_model::{Lease, Leased};
use orchestrator_policy::Holder;
use orchestrator_store::{Holding, Store, StoreError};

/// What the client at an address of a link holds, if the address is that of the machine that has its instances.
///
/// Another machine may hold leases under the same DUID, which is only a claim. It gets an address, and neither sees nor
/// changes anything of that client.
pub(super) async fn client_at(store: &Store, link: &str, address: Ipv6Addr) -> Result<Option<Holding>, StoreError> {
    let Some(client) = store.holder_of(link, address).await? else {
        return Ok(None);
    };
    let holding = store.holding(client).await?;
    Ok(holding.filter(|holding| has_instances(holding, link, address)))
}

/// Whether the machine at an address has the client's instances on a link.
fn has_instances(holding: &Holding, link: &str, address: Ipv6Addr) -> bool {
    let leases = || holding.active_leases.iter().filter(|lease| lease.link == link);
    let is_own = |lease: &&Lease| lease.leased == Leased::Address(address);
    let is_in = |lease: &&Lease| matches!(lease.leased, Leased::Prefix(prefix) if prefix.contains(&address));
    let Some(lease) = leases().find(is_own).or_else(|| leases().find(is_in)) else {
        return false;
    };
    let link_layer = holding.client.link_layer.as_ref();
    Holder::of_instances(&holding.active_leases, link, link_layer) == Some(Holder::of(lease, link_layer))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use orchestrator_model::{Client, Duid, GrantedTo, Iaid, Id, LeaseSource, LeaseState, Timestamp};

    use super::*;

    /// A lease that a machine with this link-layer address was granted then.
    fn lease(leased: &str, link_layer: Option<&str>, granted: i64) -> Lease {
        Lease {
            link: "br0".to_owned(),
            leased: leased.parse().unwrap(),
            client: Id::from_bytes([1; 6]),
            duid: Duid::new([0, 3, 1]).unwrap(),
            iaid: Iaid(1),
            source: LeaseSource::Listener,
            state: LeaseState::Active,
            next_hop: None,
            granted_to: GrantedTo {
                link_layer: link_layer.map(|address| address.parse().unwrap()),
                ..GrantedTo::default()
            },
            preferred_until: Timestamp(2_000),
            valid_until: Timestamp(2_000),
            granted: Timestamp(granted),
            changed: Timestamp(granted),
        }
    }

    fn holding(leases: Vec<Lease>) -> Holding {
        Holding {
            client: Client {
                id: Id::from_bytes([1; 6]),
                link: "br0".to_owned(),
                duid: Duid::new([0, 3, 1]).unwrap(),
                link_layer: None,
                hostname: None,
                class: None,
                wants_instance: true,
                first_seen: Timestamp(0),
                last_seen: Timestamp(0),
            },
            active_leases: leases,
            slots: BTreeSet::new(),
            spent: BTreeMap::new(),
        }
    }

    fn sees(holding: &Holding, address: &str) -> bool {
        has_instances(holding, "br0", address.parse().unwrap())
    }

    #[test]
    fn a_machine_that_took_the_duid_of_another_is_not_the_client() {
        let (own, other) = (Some("02:00:00:00:00:01"), Some("02:00:00:00:00:02"));
        let holding = holding(vec![
            lease("fd39::2", other, 20),
            lease("fd39::1", own, 10),
            lease("fd77::/64", own, 30),
            lease("fd78::/64", other, 5),
        ]);
        // The other machine holds the oldest lease of all, and it is on this link.
        assert!(sees(&holding, "fd39::2") && sees(&holding, "fd78::9"));
        assert!(!sees(&holding, "fd39::1") && !sees(&holding, "fd77::9"));
    }

    #[test]
    fn all_addresses_of_one_machine_are_the_client_s_and_no_other_is() {
        let own = Some("02:00:00:00:00:01");
        let holding = holding(vec![lease("fd39::1", own, 10), lease("fd77::/64", own, 30)]);
        assert!(sees(&holding, "fd39::1") && sees(&holding, "fd77::5"));
        assert!(!sees(&holding, "fd39::9"));
        assert!(!has_instances(&holding, "br1", "fd39::1".parse().unwrap()));
    }

    #[test]
    fn where_nobody_knows_the_machines_the_address_alone_counts() {
        let holding = holding(vec![lease("fd39::1", None, 10), lease("fd39::2", None, 20)]);
        assert!(sees(&holding, "fd39::1") && sees(&holding, "fd39::2"));
    }
}
