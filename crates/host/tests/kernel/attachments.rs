//! Attachments without an address, prefixes of instances, and Unix sockets, in real network namespaces.

use std::os::unix::net::UnixListener;
use std::time::Duration;

use anyhow::{Result, ensure};
use orchestrator_host::{
    AttachmentPlan, Depth, DialPlan, Flaw, Host, Observation, Progress, Reaction, Socket, Stage, reaction,
};
use orchestrator_network::{Network, Route, RouteMark, Way};
use orchestrator_plugin::Capability;
use tokio::time::Instant;

use crate::lab::{Lab, SITE, daemon};

async fn comes_up_once_its_address_is_given(lab: &Lab) -> Result<()> {
    let (host, ready) = (&lab.host, lab.plan(1));
    let mut pending = ready.clone();
    pending.attachments[0].address = None;
    let stage = Progress::admitted();
    let waits = host.ensure(&pending, &stage).await.unwrap_err();
    ensure!(
        waits.code() == "awaits-address" && waits.to_string().contains("eth1"),
        "{waits}"
    );
    ensure!(stage.stage() == Stage::Working, "nobody can answer yet");
    let wired = lab.host_end_index(&pending).await?;
    ensure!(wired.is_some());
    for depth in [Depth::Whole, Depth::Inside] {
        let seen = host.see(&pending.reference(), depth).await?;
        ensure!(seen == Observation::AwaitsAddress, "{seen:?}");
        let seen = host.see(&ready.reference(), depth).await?;
        ensure!(seen == Observation::Flawed(Flaw::NoAddress), "{seen:?}");
    }
    // Once more without one changes nothing.
    host.ensure(&pending, &stage).await.unwrap_err();
    host.ensure(&ready, &stage).await?;
    ensure!(host.see(&ready.reference(), Depth::Whole).await? == Observation::Running);
    ensure!(lab.host_end_index(&ready).await? == wired, "its interface was kept");
    host.remove(&lab.removal(&ready)).await?;
    Ok(())
}

#[test]
fn an_interface_is_wired_without_an_address_and_given_one_later() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        comes_up_once_its_address_is_given(&lab).await
    })
}

#[test]
fn so_is_one_in_a_prepared_namespace() -> Result<()> {
    daemon(Capability::PreparedNamespace, |lab| async move {
        comes_up_once_its_address_is_given(&lab).await
    })
}

#[test]
fn a_prefix_is_routed_by_a_route_of_ours_alone_and_mended() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        let (host, network, mut plan) = (&lab.host, Network::open()?, lab.plan(1));
        let prefix = "fd60::/64".parse()?;
        plan.attachments[0].routed = vec![prefix];
        // Another site's, and one that only looks like ours.
        let (ours, another) = (RouteMark::of_site(SITE.bytes()), RouteMark::new(77));
        let theirs = Route {
            prefix,
            way: Way::Unreachable,
        };
        network.ensure_route(theirs, another).await?;
        let stage = Progress::admitted();
        host.ensure(&plan, &stage).await?;
        let made = network.list_routes(ours).await?;
        let bridge = network.find_bridge("br0").await?.unwrap();
        let way = Way::Via {
            next_hop: plan.attachments[0].address.unwrap(),
            interface: bridge.index,
        };
        ensure!(made == [Route { prefix, way }], "{made:?}");
        network.remove_route(made[0], ours).await?;
        let seen = host.see(&plan.reference(), Depth::Whole).await?;
        ensure!(seen == Observation::Flawed(Flaw::NoRoute), "{seen:?}");
        host.ensure(&plan, &stage).await?;
        ensure!(host.see(&plan.reference(), Depth::Whole).await? == Observation::Running);
        // Meanwhile somebody else got the prefix: his route is not this instance's to remove.
        let next_hop = "fe80::5".parse()?;
        let way = Way::Via {
            next_hop,
            interface: bridge.index,
        };
        network.ensure_route(Route { prefix, way }, ours).await?;
        host.remove(&lab.removal(&plan)).await?;
        ensure!(network.list_routes(ours).await? == [Route { prefix, way }]);
        network.remove_route(Route { prefix, way }, ours).await?;
        host.ensure(&plan, &stage).await?;
        for _ in 0..2 {
            host.remove(&lab.removal(&plan)).await?;
        }
        ensure!(network.list_routes(ours).await?.is_empty());
        ensure!(network.list_routes(another).await? == [theirs]);
        ensure!(lab.removal(&plan).routes == AttachmentPlan::routes(&plan.attachments[0]));
        Ok(())
    })
}

#[test]
fn a_unix_socket_within_a_container_is_connected_to() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        let (host, plan) = (&lab.host, lab.plan(1));
        let dial = |path: &str| DialPlan {
            id: plan.id,
            socket: Socket::Unix {
                container: plan.reference().containers.remove(0),
                path: path.into(),
            },
            within: Duration::from_secs(5),
        };
        let gone = host.dial(&dial("/run/app.sock")).await.err().map(|fault| fault.code());
        ensure!(gone == Some("refused"), "it does not run: {gone:?}");
        host.ensure(&plan, &Progress::admitted()).await?;
        let missing = host.dial(&dial("/run/app.sock")).await.err().map(|fault| fault.code());
        ensure!(missing == Some("refused"), "there is no socket: {missing:?}");
        // The containers of this engine have the files of the test.
        let listener = UnixListener::bind("/run/app.sock")?;
        let mut stream = host.dial(&dial("/run/app.sock")).await?;
        drop(listener.accept()?);
        let reacted = reaction(&mut *stream, Instant::now() + Duration::from_secs(5)).await;
        ensure!(reacted == Reaction::Reacted, "{reacted:?}");
        host.remove(&lab.removal(&plan)).await?;
        Ok(())
    })
}
