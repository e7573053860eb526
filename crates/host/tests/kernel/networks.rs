//! Bridges and routes of the local host, in the kernel.

use std::process::Command;

use anyhow::{Result, ensure};
use orchestrator_host::{
    Applied, BridgeFlaw, BridgePlan, BridgePurpose, Host, HostChange, ListRequest, Listed, NetworkChange, NetworkItem,
    NetworkKey, NetworkPart, RoutePlan, WatchScope,
};
use orchestrator_network::{Network, Route, RouteMark, Way};
use orchestrator_plugin::Capability;
use tokio::sync::mpsc;

use crate::lab::{Lab, daemon};

fn bridge(name: &str, purpose: BridgePurpose) -> Result<BridgePlan> {
    Ok(BridgePlan {
        name: name.to_owned(),
        purpose,
        create: true,
        address: Some("fd07::1/64".parse()?),
        services: Vec::new(),
        mtu: None,
        mac: None,
        link_local: None,
    })
}

fn route(prefix: &str) -> Result<RoutePlan> {
    Ok(RoutePlan {
        prefix: prefix.parse()?,
        via: Some(("fe80::8".parse()?, "br0".to_owned())),
    })
}

fn set(items: Vec<NetworkItem>) -> NetworkChange {
    NetworkChange::Difference {
        set: items,
        remove: Vec::new(),
    }
}

fn remove(key: NetworkKey) -> NetworkChange {
    NetworkChange::Difference {
        set: Vec::new(),
        remove: vec![key],
    }
}

async fn routes(lab: &Lab) -> Result<Vec<RoutePlan>> {
    let (sender, mut answers) = mpsc::channel(8);
    let request = ListRequest {
        routes: true,
        ..ListRequest::default()
    };
    lab.host.list(&request, sender).await?;
    match answers.recv().await {
        Some(Listed::Routes(found)) => {
            let mut found = found?;
            found.sort();
            Ok(found)
        }
        other => anyhow::bail!("{other:?}"),
    }
}

#[test]
fn routes_are_changed_by_difference_only_from_the_generation_that_is_there() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        let (host, part) = (&lab.host, NetworkPart::Routes);
        let add = set(vec![NetworkItem::Route(route("fd08::/64")?)]);
        ensure!(host.apply(&part, 0, 1, &add).await? == Applied::NeedsWhole { at: None });
        ensure!(host.apply(&part, 0, 1, &NetworkChange::Whole(Vec::new())).await? == Applied::Done);
        ensure!(host.apply(&part, 1, 2, &add).await? == Applied::Done);
        ensure!(routes(&lab).await? == [route("fd08::/64")?]);
        ensure!(host.apply(&part, 1, 2, &add).await? == Applied::NeedsWhole { at: Some(2) });
        // Each part has a generation of its own.
        let other = NetworkPart::Link("br0".to_owned());
        ensure!(host.apply(&other, 2, 3, &add).await? == Applied::NeedsWhole { at: None });
        let drop = remove(NetworkKey::Route("fd08::/64".parse()?));
        ensure!(host.apply(&part, 2, 3, &drop).await? == Applied::Done);
        ensure!(routes(&lab).await?.is_empty());
        Ok(())
    })
}

#[test]
fn the_whole_removes_leftovers_of_ours_and_no_route_of_another() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        let (part, network) = (NetworkPart::Routes, Network::open()?);
        let (leftover, wanted) = (route("fd08::/64")?, route("fd09::/64")?);
        // Two routes to one prefix: a pool of a single prefix, and its holder.
        let pool = RoutePlan::unreachable("fd09::/64".parse()?);
        let before = lab.another_host();
        let all = [&leftover, &pool].map(|plan| NetworkItem::Route(plan.clone()));
        before.apply(&part, 0, 1, &NetworkChange::Whole(all.into())).await?;
        let theirs = Route {
            prefix: "fd0a::/64".parse()?,
            way: Way::Unreachable,
        };
        let another = RouteMark::new(77);
        network.ensure_route(theirs, another).await?;
        let all = [&wanted, &pool].map(|plan| NetworkItem::Route(plan.clone()));
        lab.host.apply(&part, 0, 1, &NetworkChange::Whole(all.into())).await?;
        ensure!(routes(&lab).await? == [pool, wanted]);
        ensure!(network.list_routes(another).await? == [theirs]);
        Ok(())
    })
}

#[test]
fn one_route_that_cannot_be_made_holds_up_no_other() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        let part = NetworkPart::Routes;
        let nowhere = RoutePlan {
            prefix: "fd01::/64".parse()?,
            via: Some(("fe80::8".parse()?, "none".to_owned())),
        };
        let all = vec![nowhere, route("fd08::/64")?];
        let whole = NetworkChange::Whole(all.into_iter().map(NetworkItem::Route).collect());
        let failed = lab.host.apply(&part, 0, 1, &whole).await.unwrap_err();
        ensure!(
            failed.code() == "bridge-missing" && failed.to_string().contains("fd01::/64"),
            "{failed}"
        );
        ensure!(routes(&lab).await? == [route("fd08::/64")?]);
        let after = lab.host.apply(&part, 1, 2, &set(Vec::new())).await?;
        ensure!(
            after == Applied::NeedsWhole { at: None },
            "a failure leaves no generation"
        );
        Ok(())
    })
}

#[test]
fn a_route_that_somebody_removes_is_reported_with_its_network() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        let host = lab.host.clone();
        let (sender, mut changes) = mpsc::channel(8);
        let watching = tokio::spawn(async move { host.watch(WatchScope::Routes, sender).await });
        ensure!(changes.recv().await == Some(HostChange::Routes));
        let made = route("fd08::/64")?;
        let whole = NetworkChange::Whole(vec![NetworkItem::Route(made.clone())]);
        lab.host.apply(&NetworkPart::Routes, 0, 1, &whole).await?;
        let nothing = NetworkChange::Whole(Vec::new());
        lab.another_host().apply(&NetworkPart::Routes, 0, 1, &nothing).await?;
        ensure!(changes.recv().await == Some(HostChange::RouteGone(made)));
        watching.abort();
        Ok(())
    })
}

#[test]
fn a_bridge_is_made_mended_and_removed_only_when_it_was_made_for_a_network() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        let (host, part) = (&lab.host, NetworkPart::Networks);
        let plan = BridgePlan {
            mtu: Some(1400),
            ..bridge("br7", BridgePurpose::Network)?
        };
        ensure!(host.see_bridge(&plan, &[]).await?.is_none());
        let item = NetworkItem::Bridge(plan.clone());
        host.apply(&part, 0, 1, &NetworkChange::Whole(vec![item.clone()]))
            .await?;
        let made = host.see_bridge(&plan, &[]).await?.unwrap();
        ensure!(
            made.bridge.ours && made.bridge.mtu == 1400 && made.flaws.is_empty(),
            "{made:?}"
        );
        // Hosts know it by this address: it gets it back.
        let known = BridgePlan {
            mac: Some([2, 0, 0, 0, 0, 7]),
            mtu: Some(1500),
            ..plan.clone()
        };
        let seen = host.see_bridge(&known, &[]).await?.unwrap().flaws;
        ensure!(
            seen.contains(&BridgeFlaw::OtherMtu(1400)) && seen.len() == 2,
            "{seen:?}"
        );
        host.apply(&part, 1, 2, &set(vec![NetworkItem::Bridge(known.clone())]))
            .await?;
        ensure!(host.see_bridge(&known, &[]).await?.unwrap().flaws.is_empty());
        // The bridge of a link stays, whoever wants it removed.
        host.apply(&part, 2, 3, &remove(NetworkKey::Bridge("br0".to_owned())))
            .await?;
        host.apply(&part, 3, 4, &remove(NetworkKey::Bridge("br7".to_owned())))
            .await?;
        ensure!(host.see_bridge(&plan, &[]).await?.is_none());
        ensure!(
            host.see_bridge(&bridge("br0", BridgePurpose::Link)?, &[])
                .await?
                .is_some()
        );
        Ok(())
    })
}

/// The addresses of `br0` that are not link-local, in order, each with its prefix length.
fn addresses() -> Result<Vec<String>> {
    let shown = Command::new("ip")
        .args(["-6", "-oneline", "address", "show", "dev", "br0", "scope", "global"])
        .output()?;
    ensure!(shown.status.success(), "{shown:?}");
    let shown = String::from_utf8(shown.stdout)?;
    let mut found: Vec<String> = shown
        .lines()
        .filter_map(|line| line.split_whitespace().nth(3).map(str::to_owned))
        .collect();
    found.sort();
    Ok(found)
}

fn add_by_hand(address: &str) -> Result<()> {
    let added = Command::new("ip")
        .args(["address", "add", address, "dev", "br0", "nodad"])
        .output()?;
    ensure!(added.status.success(), "{added:?}");
    Ok(())
}

/// Virtual addresses in the prefix of a link are as docs/balancing.md says.
#[test]
fn a_virtual_address_is_put_kept_over_a_restart_and_taken_away_and_those_of_others_stay() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        let part = NetworkPart::Link("br0".to_owned());
        let plan = |services: &[&str]| -> Result<BridgePlan> {
            let services = services.iter().map(|address| address.parse());
            Ok(BridgePlan {
                services: services.collect::<Result<_, _>>()?,
                address: Some("fd39::1/64".parse()?),
                ..bridge("br0", BridgePurpose::Link)?
            })
        };
        let whole = |plan: &BridgePlan| NetworkChange::Whole(vec![NetworkItem::Bridge(plan.clone())]);
        add_by_hand("fd39::bb/128")?;
        add_by_hand("fd39::cc/128")?;
        let listening = plan(&["fd39::aa", "fd39::cc"])?;
        let missing = lab.host.see_bridge(&listening, &[]).await?.unwrap().flaws;
        ensure!(
            missing.contains(&BridgeFlaw::NoAddress("fd39::aa/128".parse()?)),
            "{missing:?}"
        );
        lab.host.apply(&part, 0, 1, &whole(&listening)).await?;
        let all = ["fd39::1/64", "fd39::aa/128", "fd39::bb/128", "fd39::cc/128"];
        ensure!(addresses()? == all, "{:?}", addresses()?);
        ensure!(lab.host.see_bridge(&listening, &[]).await?.unwrap().flaws.is_empty());

        // The next daemon finds it as it is to be, and leaves it so.
        let next = lab.another_host();
        ensure!(next.see_bridge(&listening, &[]).await?.unwrap().flaws.is_empty());
        next.apply(&part, 0, 1, &whole(&listening)).await?;
        ensure!(addresses()? == all, "{:?}", addresses()?);

        // Nobody listens any more, while that daemon runs or before it starts: what it put there goes, and no other.
        let silent = plan(&[])?;
        let stray = lab.another_host().see_bridge(&silent, &[]).await?.unwrap().flaws;
        ensure!(stray == [BridgeFlaw::StrayAddress("fd39::aa".parse()?)], "{stray:?}");
        next.apply(&part, 1, 2, &whole(&silent)).await?;
        ensure!(
            addresses()? == ["fd39::1/64", "fd39::bb/128", "fd39::cc/128"],
            "{:?}",
            addresses()?
        );
        Ok(())
    })
}
