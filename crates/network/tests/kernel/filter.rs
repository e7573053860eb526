//! The packet filter: its rules, its elements, and what others do to them.

use std::collections::BTreeSet;

use anyhow::Result;
use orchestrator_network::{FilterChange, FilterElement, FilterRepair, FilterRole, NetworkError};
use tokio::sync::mpsc;
use tokio::time::{Duration, timeout};

use crate::support::{daemon, nft};

const RIGHT: FilterRepair = FilterRepair {
    loaded: false,
    elements: 0,
};

/// At least one element of each set and map.
fn elements() -> Result<BTreeSet<FilterElement>> {
    let (client, mac) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let (address, other) = ("fd39::2".parse()?, "fd39::3".parse()?);
    let (lease, delegated) = ("fd39::c/128".parse()?, "fd40::/56".parse()?);
    let front = "fd39::d0".parse()?;
    let web = (6, 80, 90);
    let mut all = BTreeSet::new();
    for role in [
        FilterRole::Client,
        FilterRole::Instance,
        FilterRole::LimitedInstance,
        FilterRole::Relay,
        FilterRole::Router,
    ] {
        all.extend(FilterElement::role(&format!("{role:?}"), role));
    }
    all.extend(FilterElement::lenient("br1"));
    all.extend([FilterElement::ipv4("p1"), FilterElement::apart("p1")]);
    all.extend([FilterElement::join("oj1-1a"), FilterElement::joined("oj1-1")]);
    all.extend(FilterElement::link("br0", "fd39::/64".parse()?));
    all.extend(FilterElement::host(mac, "fd39::1".parse()?));
    for port in [None, Some("p1")] {
        all.extend(FilterElement::client(port, client, lease));
        all.extend(FilterElement::client(port, client, delegated));
    }
    all.extend(FilterElement::instance("br0", "or1", mac, lease));
    all.extend(FilterElement::instance("br0", "or1", mac, "fd41::/64".parse()?));
    all.extend(FilterElement::pair_on_bridge((client, lease), ("or1", mac, address)));
    all.extend([lease, delegated].map(|source| FilterElement::pair_routed(source, address.into())));
    all.extend(FilterElement::peer((mac, address), (client, other), web));
    all.extend(FilterElement::open(mac, address, web));
    for class in 0..FilterElement::CLASSES {
        all.insert(FilterElement::egress(format!("fd39::e:{class:x}").parse()?, class));
        all.insert(FilterElement::destination(class, "::/0".parse()?, (6, 6), (443, 443)));
    }
    all.insert(FilterElement::nat(address));
    all.extend([
        FilterElement::packet_rate("or1", 100),
        FilterElement::byte_rate("or1", 5_000_000_000),
    ]);
    all.insert(FilterElement::service("fd39::1".parse()?, (17, 53, 53)));
    all.extend(FilterElement::door(front, lease, None, address));
    all.extend(FilterElement::door(front, delegated, None, address));
    all.extend(FilterElement::door(front, lease, Some(web), address));
    Ok(all)
}

#[test]
fn every_set_takes_its_elements_and_gives_them_back() -> Result<()> {
    daemon(|network| async move {
        let filter = network.filter("a1").await?;
        assert!(filter.elements().await?.is_empty(), "nothing is there yet");
        assert_eq!(filter.counts().await?, Default::default());
        let all = elements()?;
        assert!(filter.ensure(&all).await?.loaded);
        assert_eq!(filter.elements().await?, all);
        assert_eq!(filter.ensure(&all).await?, RIGHT);
        // Differences, in one transaction.
        let (gone, new) = (FilterElement::apart("p1"), FilterElement::apart("p2"));
        filter.change(vec![gone.clone()], vec![new.clone()]).await?;
        let found = filter.elements().await?;
        assert!(found.contains(&new) && !found.contains(&gone));
        let refused = filter.change(vec![gone], vec![FilterElement::apart("p3")]).await;
        assert!(matches!(refused, Err(NetworkError::Refused { .. })), "{refused:?}");
        assert_eq!(filter.elements().await?, found, "all or nothing");
        filter.ensure(&all).await?;
        assert_eq!(filter.elements().await?, all);
        // Nothing is left of it, and it is no failure that it is gone.
        assert!(filter.remove().await?);
        assert!(!filter.remove().await?);
        assert_eq!(nft("list tables")?, "");
        Ok(())
    })
}

#[test]
fn a_value_of_an_element_can_change() -> Result<()> {
    daemon(|network| async move {
        let filter = network.filter("a1").await?;
        let role = |role| FilterElement::role("p1", role).into_iter().collect::<BTreeSet<_>>();
        let rate = |rate| {
            [FilterElement::packet_rate("p1", rate)]
                .into_iter()
                .collect::<BTreeSet<_>>()
        };
        for wanted in [role(FilterRole::Client), role(FilterRole::Router), rate(5), rate(6)] {
            filter.ensure(&wanted).await?;
            assert_eq!(filter.elements().await?, wanted);
        }
        Ok(())
    })
}

#[test]
fn two_sites_and_the_tables_of_others_are_apart() -> Result<()> {
    daemon(|network| async move {
        nft("add table inet docker")?;
        nft("add chain inet docker c")?;
        let (one, two) = (network.filter("a1").await?, network.filter("b2").await?);
        let (first, second): (BTreeSet<_>, BTreeSet<_>) =
            ([FilterElement::apart("p1")].into(), [FilterElement::apart("p2")].into());
        one.ensure(&first).await?;
        two.ensure(&second).await?;
        assert_eq!((one.elements().await?, two.elements().await?), (first, second.clone()));
        one.remove().await?;
        assert_eq!(two.elements().await?, second);
        assert!(nft("list tables")?.contains("table inet docker"));
        assert!(network.filter("no site").await.is_err());
        Ok(())
    })
}

#[test]
fn rules_that_somebody_else_changed_are_noticed_and_loaded_again() -> Result<()> {
    daemon(|network| async move {
        let filter = network.filter("a1").await?;
        let all = elements()?;
        filter.ensure(&all).await?;
        let (sender, mut changes) = mpsc::channel(16);
        let watched = filter.clone();
        let watch = tokio::spawn(async move { watched.watch(sender).await });
        let mut next = async || timeout(Duration::from_secs(10), changes.recv()).await;
        assert_eq!(next().await?, Some(FilterChange::Begun));
        // Our own change and that of another table are not reported: the next report is of the flush.
        filter.change(vec![], vec![FilterElement::apart("p9")]).await?;
        nft("add table inet other")?;
        for damage in [
            "flush ruleset",
            "delete table inet orchestrator-a1",
            "flush chain bridge orchestrator-a1 refused",
            "flush map bridge orchestrator-a1 o_role",
            "add rule bridge orchestrator-a1 pre accept",
        ] {
            nft(damage)?;
            assert_eq!(next().await?, Some(FilterChange::Changed), "{damage}");
            let loaded = filter.ensure(&all).await?.loaded;
            assert_eq!(loaded, !damage.contains("o_role"), "{damage}");
            assert_eq!(filter.elements().await?, all, "{damage}");
            if loaded {
                // The program that loads the rules is another one.
                assert_eq!(next().await?, Some(FilterChange::Changed));
            }
            assert_eq!(filter.ensure(&all).await?, RIGHT, "{damage}");
        }
        drop(changes);
        let ended = watch.await?;
        assert!(matches!(ended, NetworkError::Unwatched), "{ended}");
        Ok(())
    })
}

#[test]
fn thousands_of_elements_go_in_and_out() -> Result<()> {
    daemon(|network| async move {
        let filter = network.filter("a1").await?;
        let client = |number: u16| {
            let [high, low] = number.to_be_bytes();
            let address: std::net::Ipv6Addr = format!("fd39::{number:x}").parse().expect("an address");
            FilterElement::client(Some("p1"), [2, 0, 0, 0, high, low], address.into())
        };
        let many: BTreeSet<FilterElement> = (0..10_000).flat_map(client).collect();
        filter.ensure(&many).await?;
        assert_eq!(filter.elements().await?, many);
        let few: BTreeSet<FilterElement> = (0..10).flat_map(client).collect();
        filter.ensure(&few).await?;
        assert_eq!(filter.elements().await?, few);
        Ok(())
    })
}
