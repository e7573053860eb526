//! Routes: made, replaced, found and removed, and what belongs to others left alone.

use anyhow::{Context, Result};
use ipnet::Ipv6Net;
use orchestrator_network::{Network, ROUTE_PROTOCOL, Route, RouteChange, RouteMark, Way};
use serde_json::Value;

use crate::support::{bridge_plan, daemon, ip};

const POOL: &str = "2001:db8:1::/48";
const PREFIX: &str = "2001:db8:1:7::/64";

fn mark() -> RouteMark {
    RouteMark::new(0x1234_5678)
}

fn prefix(text: &str) -> Ipv6Net {
    text.parse().expect("a prefix")
}

fn via(next_hop: &str, interface: u32) -> Route {
    let next_hop = next_hop.parse().expect("an address");
    Route {
        prefix: prefix(PREFIX),
        way: Way::Via { next_hop, interface },
    }
}

fn unreachable(pool: &str) -> Route {
    Route {
        prefix: prefix(pool),
        way: Way::Unreachable,
    }
}

async fn bridge(network: &Network) -> Result<u32> {
    Ok(network.ensure_bridge(&bridge_plan("br0")).await?.index)
}

/// What iproute2 tells of the routes to a prefix: type, gateway, interface, protocol.
fn shown(prefix: &str) -> Result<Vec<Value>> {
    let routes = ip(&format!("-6 -d route show {prefix}"))?;
    Ok(routes.as_array().context("a list")?.clone())
}

#[test]
fn made_as_planned_and_found_again() -> Result<()> {
    daemon(|network| async move {
        let index = bridge(&network).await?;
        network.ensure_route(via("fe80::7", index), mark()).await?;
        network.ensure_route(unreachable(POOL), mark()).await?;

        let routes = shown(PREFIX)?;
        assert_eq!(routes.len(), 1);
        assert_eq!(routes[0]["gateway"], "fe80::7");
        assert_eq!(routes[0]["dev"], "br0");
        assert_eq!(routes[0]["protocol"], ROUTE_PROTOCOL.to_string());
        assert_eq!(shown(POOL)?[0]["type"], "unreachable");

        let mut found = network.list_routes(mark()).await?;
        found.sort_by_key(|route| route.prefix);
        assert_eq!(found, [unreachable(POOL), via("fe80::7", index)]);
        Ok(())
    })
}

#[test]
fn made_again_is_the_same_and_another_way_replaces_it() -> Result<()> {
    daemon(|network| async move {
        let index = bridge(&network).await?;
        for next_hop in ["fe80::7", "fe80::7", "fe80::8"] {
            network.ensure_route(via(next_hop, index), mark()).await?;
            network.ensure_route(unreachable(POOL), mark()).await?;
        }
        assert_eq!(shown(PREFIX)?.len(), 1);
        assert_eq!(shown(PREFIX)?[0]["gateway"], "fe80::8");
        assert_eq!(network.list_routes(mark()).await?.len(), 2);
        Ok(())
    })
}

#[test]
fn a_pool_of_one_prefix_has_both_routes_and_the_clients_comes_first() -> Result<()> {
    daemon(|network| async move {
        let index = bridge(&network).await?;
        network.ensure_route(unreachable(PREFIX), mark()).await?;
        network.ensure_route(via("fe80::7", index), mark()).await?;
        network.ensure_route(unreachable(PREFIX), mark()).await?;
        assert_eq!(shown(PREFIX)?.len(), 2);
        let taken = ip("-6 route get 2001:db8:1:7::1")?;
        assert_eq!(taken[0]["gateway"], "fe80::7");
        network.remove_route(via("fe80::7", index), mark()).await?;
        assert_eq!(network.list_routes(mark()).await?, [unreachable(PREFIX)]);
        Ok(())
    })
}

#[test]
fn a_next_hop_outside_of_the_links_prefix_is_a_neighbour() -> Result<()> {
    daemon(|network| async move {
        let index = bridge(&network).await?;
        network.ensure_route(via("2001:db8:ffff::1", index), mark()).await?;
        assert_eq!(shown(PREFIX)?[0]["gateway"], "2001:db8:ffff::1");
        Ok(())
    })
}

#[test]
fn removed_once_and_again() -> Result<()> {
    daemon(|network| async move {
        let index = bridge(&network).await?;
        network.ensure_route(via("fe80::7", index), mark()).await?;
        network.ensure_route(unreachable(POOL), mark()).await?;
        for _ in 0..2 {
            network.remove_route(via("fe80::7", index), mark()).await?;
            network.remove_route(unreachable(POOL), mark()).await?;
        }
        assert_eq!(network.list_routes(mark()).await?, []);
        // The interface that it was on is gone, too.
        network.ensure_route(via("fe80::7", index), mark()).await?;
        ip("link delete br0")?;
        network.remove_route(via("fe80::7", index), mark()).await?;
        Ok(())
    })
}

#[test]
fn routes_of_others_are_neither_listed_nor_replaced_nor_removed() -> Result<()> {
    daemon(|network| async move {
        let index = bridge(&network).await?;
        let other = RouteMark::new(0x1234_5600);
        ip(&format!("-6 route add {PREFIX} via fe80::1 dev br0"))?;
        network.ensure_route(via("fe80::9", index), other).await?;
        network.ensure_route(via("fe80::7", index), mark()).await?;
        assert_eq!(shown(PREFIX)?.len(), 3);
        assert_eq!(network.list_routes(mark()).await?, [via("fe80::7", index)]);

        network.remove_route(via("fe80::7", index), mark()).await?;
        // Not there with this mark: nothing to remove.
        network.remove_route(via("fe80::1", index), mark()).await?;
        network.remove_route(via("fe80::9", index), mark()).await?;
        let left: Vec<_> = shown(PREFIX)?.iter().map(|route| route["gateway"].clone()).collect();
        assert_eq!(left, ["fe80::1", "fe80::9"]);
        Ok(())
    })
}

#[test]
fn refused_when_the_interface_is_not_there() -> Result<()> {
    daemon(|network| async move {
        let fault = network.ensure_route(via("fe80::7", 999), mark()).await.unwrap_err();
        assert_eq!(
            fault.to_string(),
            format!("making the route to {PREFIX} was refused by the kernel")
        );
        Ok(())
    })
}

#[test]
fn a_route_that_somebody_removes_is_told_of() -> Result<()> {
    daemon(|network| async move {
        let index = bridge(&network).await?;
        network.ensure_route(via("fe80::7", index), mark()).await?;
        network.ensure_route(unreachable(POOL), mark()).await?;
        let (changes, mut told) = tokio::sync::mpsc::channel(16);
        let watch = tokio::spawn({
            let network = network.clone();
            async move { network.watch_routes(mark(), changes).await }
        });
        let mut next = async || tokio::time::timeout(std::time::Duration::from_secs(10), told.recv()).await;
        assert_eq!(next().await?, Some(RouteChange::Everything));
        // Another site's, and somebody else's, are no news; nor is one that takes another's place.
        ip("-6 route add 2001:db8:9::/64 via fe80::9 dev br0 proto 111 metric 1073741826")?;
        ip("-6 route del 2001:db8:9::/64")?;
        network.ensure_route(via("fe80::8", index), mark()).await?;
        ip(&format!("-6 route del {PREFIX}"))?;
        assert_eq!(next().await?, Some(RouteChange::Removed(via("fe80::8", index))));
        ip(&format!("-6 route flush {POOL}"))?;
        assert_eq!(next().await?, Some(RouteChange::Removed(unreachable(POOL))));
        watch.abort();
        Ok(())
    })
}

#[test]
fn routes_of_all_sites_are_told_apart_and_a_running_daemon_claims_its_own() -> Result<()> {
    daemon(|network| async move {
        let index = bridge(&network).await?;
        let other = RouteMark::new(0x0bad_cafe);
        network.ensure_route(via("fe80::7", index), mark()).await?;
        network.ensure_route(unreachable(POOL), other).await?;
        ip("-6 route add 2001:db8:9::/64 via fe80::9 dev br0 proto 111 metric 1024")?;
        let all = network.list_all_routes().await?;
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!(all[&mark()], [via("fe80::7", index)]);
        assert_eq!(all[&other], [unreachable(POOL)]);
        assert_eq!(RouteMark::of_metric(other.route_metric()), Some(other));

        assert!(!network.is_claimed(other)?);
        let claim = network.claim_mark(other)?;
        assert!(network.is_claimed(other)? && !network.is_claimed(mark())?);
        let again = network.claim_mark(other).map(drop).map_err(|fault| fault.kind());
        assert_eq!(again, Err(std::io::ErrorKind::AddrInUse));
        drop(claim);
        assert!(!network.is_claimed(other)?);
        Ok(())
    })
}
