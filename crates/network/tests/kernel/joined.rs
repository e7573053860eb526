//! Further bridges of a link, for more instances than one bridge has ports.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use orchestrator_network::{AttachmentPlan, BridgeFlaw, BridgeIdentity, JoinedBridge, Network};

use crate::attachment::assert_as_planned;
use crate::support::{Instance, MARK, attachment_plan, bridge_plan, daemon, has_link, ip, isolated, link, wire};

/// How long a connection may take to be made.
const PATIENCE: Duration = Duration::from_secs(2);

/// The joined bridges, in the order in which they were made.
async fn joined(network: &Network) -> Result<Vec<JoinedBridge>> {
    Ok(network.joined_bridges(MARK).await?)
}

/// The bridge that the host end of an attachment is a port of.
fn bridge_of(plan: &AttachmentPlan) -> Result<String> {
    let master = link(&plan.host_interface)?["master"].take();
    Ok(master.as_str().context("a bridge")?.to_owned())
}

/// Serves something within an instance.
fn listens(instance: &Instance, plan: &AttachmentPlan) -> Result<(TcpListener, SocketAddr)> {
    let address = SocketAddr::from((plan.address.context("an address")?.addr(), 80));
    Ok((instance.run(move || TcpListener::bind(address))?, address))
}

fn reaches(from: &Instance, to: SocketAddr) -> bool {
    from.run(move || TcpStream::connect_timeout(&to, PATIENCE)).is_ok()
}

/// A client of the link, on a port of its bridge that is not isolated.
async fn client(network: &Network, number: u16) -> Result<Instance> {
    let plan = AttachmentPlan {
        host_interface: format!("client{number}"),
        ..attachment_plan(number)
    };
    wire(network, &plan).await
}

#[test]
fn an_instance_on_a_joined_bridge_is_wired_as_any_other_and_found_on_its_link() -> Result<()> {
    daemon(|network| async move {
        let network = network.joining(2);
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let plans: Vec<_> = (1..=6).map(isolated).collect();
        let mut instances = Vec::new();
        for plan in &plans {
            instances.push(wire(&network, plan).await?);
        }
        let bridges = plans.iter().map(bridge_of).collect::<Result<Vec<_>>>()?;
        let made = joined(&network).await?;
        let names: Vec<_> = made.iter().map(|joined| joined.name.as_str()).collect();
        let is_full = |joined: &JoinedBridge| joined.connected && joined.instances == 2 && joined.isolated;
        ensure!(made.len() == 2 && made.iter().all(is_full), "{made:?}");
        ensure!(
            bridges == ["br0", "br0", names[0], names[0], names[1], names[1]],
            "{bridges:?}"
        );
        for (plan, (instance, bridge)) in plans.iter().zip(instances.iter().zip(&bridges)) {
            let there = AttachmentPlan {
                bridge: bridge.clone(),
                ..plan.clone()
            };
            assert_as_planned(&there, instance)?;
            let found = network
                .find_attachment(&plan.host_interface, MARK)
                .await?
                .context("found")?;
            ensure!(found.bridge.as_deref() == Some("br0"));
            ensure!(found.joined.as_ref() == (bridge != "br0").then_some(bridge));
        }
        let listed = network.attachments(MARK).await?;
        ensure!(listed.len() == 6, "the ends of joins are no attachments: {listed:?}");
        // Joined bridges take part in nothing.
        for name in &names {
            let held = ip(&format!("-6 addr show dev {name}"))?;
            ensure!(
                held.as_array().is_none_or(|all| all
                    .iter()
                    .all(|one| one["addr_info"].as_array().is_none_or(Vec::is_empty))),
                "{held}"
            );
        }
        // A daemon that knows nothing finds all of it, and changes none of it.
        let later = Network::open()?.joining(2);
        let before: Vec<_> = listed.iter().map(|found| found.index).collect();
        for (plan, instance) in plans.iter().zip(&instances) {
            later.ensure_attachment(plan, &instance.netns).await?;
        }
        let after: Vec<_> = later.attachments(MARK).await?.iter().map(|found| found.index).collect();
        ensure!(before == after && joined(&later).await? == made);
        Ok(())
    })
}

#[test]
fn isolated_instances_are_kept_apart_across_joined_bridges_and_reach_clients_and_the_host() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let client = client(&network, 99).await?;
        let network = network.joining(2);
        let plans: Vec<_> = (1..=4).map(isolated).collect();
        let mut instances = Vec::new();
        for plan in &plans {
            let instance = wire(&network, plan).await?;
            let (listener, address) = listens(&instance, plan)?;
            instances.push((instance, listener, address));
        }
        let made = joined(&network).await?;
        ensure!(
            made.len() == 2,
            "one on the bridge, two on the first joined one, one on the next: {made:?}"
        );
        for (number, (instance, _, address)) in instances.iter().enumerate() {
            ensure!(reaches(&client, *address), "a client reaches instance {number}");
            ensure!(
                TcpStream::connect_timeout(address, PATIENCE).is_ok(),
                "the host reaches it"
            );
            for (other, (_, _, address)) in instances.iter().enumerate().filter(|(other, _)| *other != number) {
                ensure!(!reaches(instance, *address), "{number} reached {other}");
            }
        }
        Ok(())
    })
}

#[test]
fn instances_that_may_speak_with_each_other_do_so_across_bridges_of_their_own() -> Result<()> {
    daemon(|network| async move {
        let network = network.joining(2);
        network.ensure_bridge(&bridge_plan("br0")).await?;
        // On the bridge of the link, on two joined bridges of their own, and on one of isolated instances.
        let plans = [
            isolated(1),
            attachment_plan(2),
            attachment_plan(3),
            attachment_plan(4),
            attachment_plan(5),
            isolated(6),
        ];
        let mut instances = Vec::new();
        for plan in &plans {
            let instance = wire(&network, plan).await?;
            let (listener, address) = listens(&instance, plan)?;
            instances.push((instance, listener, address));
        }
        let kinds: Vec<_> = joined(&network).await?.iter().map(|joined| joined.isolated).collect();
        ensure!(kinds == [false, false, true], "{kinds:?}");
        for (number, (instance, _, _)) in instances.iter().enumerate() {
            for (other, (_, _, address)) in instances.iter().enumerate().filter(|(other, _)| *other != number) {
                // As on one bridge: only two that are both isolated are kept apart.
                let apart = plans[number].isolated && plans[other].isolated;
                ensure!(reaches(instance, *address) != apart, "{number} to {other}");
            }
        }
        Ok(())
    })
}

#[test]
fn a_joined_bridge_goes_with_its_last_instance() -> Result<()> {
    daemon(|network| async move {
        let network = network.joining(1);
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let mut running = Vec::new();
        for number in 1..=4 {
            running.push(wire(&network, &isolated(number)).await?);
        }
        let names: Vec<_> = joined(&network).await?.into_iter().map(|joined| joined.name).collect();
        ensure!(names.len() == 3);
        ensure!(network.remove_joined(MARK).await?.is_empty(), "all have an instance");
        network.remove_attachments(&["o-2", "o-4"], MARK).await?;
        ensure!(network.remove_joined("another:").await?.is_empty());
        ensure!(network.remove_joined(MARK).await? == [names[0].clone(), names[2].clone()]);
        for name in [&names[0], &names[2]] {
            ensure!(!has_link(name)? && !has_link(&format!("{name}a"))? && !has_link(&format!("{name}b"))?);
        }
        let after = joined(&network).await?;
        ensure!(
            after.len() == 1 && after[0].connected && after[0].instances == 1,
            "{after:?}"
        );
        ensure!(
            network.made_bridges(&format!("{MARK}br0")).await?[0].ports == 1,
            "joins are no ports of instances"
        );
        // What was counted before is no longer so.
        wire(&network, &isolated(7)).await?;
        ensure!(joined(&network).await?.len() == 2);
        Ok(())
    })
}

#[test]
fn what_was_left_by_a_daemon_that_was_killed_is_completed_or_removed() -> Result<()> {
    daemon(|network| async move {
        let network = network.joining(1);
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let _running = [wire(&network, &isolated(1)).await?, wire(&network, &isolated(2)).await?];
        let name = joined(&network).await?[0].name.clone();
        network.remove_attachment("o-2", MARK).await?;
        network.remove_joined(MARK).await?;
        // A bridge without its mark, and a bridge with one end.
        let group = orchestrator_network::LINK_GROUP;
        ip(&format!("link add {name} group {group} type bridge"))?;
        ip(&format!(
            "link add {name}a group {group} master br0 type veth peer name {name}b"
        ))?;
        ip(&format!("link set {name}b group {group}"))?;
        let plan = isolated(3);
        let _third = wire(&network, &plan).await?;
        let made = joined(&network).await?;
        ensure!(made.len() == 1 && made[0].name == name && made[0].connected, "{made:?}");
        ensure!(
            network
                .find_attachment("o-3", MARK)
                .await?
                .context("found")?
                .bridge
                .is_some()
        );
        network.remove_attachment("o-3", MARK).await?;
        network.remove_joined(MARK).await?;
        ip(&format!("link add {name} group {group} type bridge"))?;
        ensure!(network.remove_joined(MARK).await?.contains(&name));
        ensure!(!has_link(&name)?);
        // What is not ours is left alone, and another number is taken.
        ip(&format!("link add {name} type bridge"))?;
        ip(&format!("link set {name} alias theirs"))?;
        wire(&network, &isolated(4)).await?;
        network.remove_joined(MARK).await?;
        ensure!(has_link(&name)? && link(&name)?["ifalias"] == "theirs");
        Ok(())
    })
}

#[test]
fn a_join_that_somebody_breaks_is_a_flaw_of_the_bridge_and_is_mended() -> Result<()> {
    daemon(|network| async move {
        let network = network.joining(1);
        let plan = bridge_plan("br0");
        network.ensure_bridge(&plan).await?;
        let instances = [isolated(1), isolated(2)];
        let mut running = Vec::new();
        for plan in &instances {
            running.push(wire(&network, plan).await?);
        }
        let (listener, address) = listens(&running[1], &instances[1])?;
        let name = joined(&network).await?[0].name.clone();
        let known = BridgeIdentity::default();
        let flaws = async || -> Result<_> {
            let observed = network
                .observe_bridge(&plan, &known, &[])
                .await?
                .context("the bridge")?;
            Ok(observed)
        };
        ensure!(flaws().await?.flaws.is_empty());
        for change in [
            format!("link set {name}a nomaster"),
            format!("link set {name}a down"),
            format!("link set {name}a type bridge_slave isolated off"),
            format!("link set {name}b nomaster"),
            format!("link set {name} down"),
            format!("link delete {name}a"),
        ] {
            ip(&change)?;
            let observed = flaws().await?;
            ensure!(
                observed.flaws == [BridgeFlaw::Join { joined: name.clone() }],
                "{change}: {:?}",
                observed.flaws
            );
            // The instance counts as not wired meanwhile.
            let found = network.find_attachment("o-2", MARK).await?.context("found")?;
            ensure!(
                found.bridge.is_none() && network.attachments(MARK).await?.contains(&found),
                "{change}"
            );
            network.repair_bridge(&plan, &known, &observed).await?;
            ensure!(flaws().await?.flaws.is_empty(), "{change}");
            ensure!(TcpStream::connect_timeout(&address, PATIENCE).is_ok(), "{change}");
            ensure!(
                link(&format!("{name}a"))?["linkinfo"]["info_slave_data"]["isolated"] == true,
                "{change}"
            );
        }
        // Wiring the instance again mends it, too.
        ip(&format!("link set {name}a nomaster"))?;
        network.ensure_attachment(&instances[1], &running[1].netns).await?;
        ensure!(TcpStream::connect_timeout(&address, PATIENCE).is_ok());
        // A joined bridge that is gone takes its ports with it; the instance gets another place.
        ip(&format!("link delete {name}"))?;
        network.ensure_attachment(&instances[1], &running[1].netns).await?;
        ensure!(TcpStream::connect_timeout(&address, PATIENCE).is_ok());
        drop(listener);
        Ok(())
    })
}

#[test]
fn multicast_reaches_a_joined_bridge_where_the_link_snoops_it_with_a_querier() -> Result<()> {
    daemon(|network| async move {
        // An operator's bridge that forwards multicast only to ports that asked for it.
        ip("link add br0 type bridge mcast_snooping 1 mcast_querier 1 forward_delay 0")?;
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let client = client(&network, 99).await?;
        let network = network.joining(1);
        let plan = isolated(1);
        let instance = wire(&network, &plan).await?;
        let name = joined(&network).await?[0].name.clone();
        ensure!(link(&format!("{name}a"))?["linkinfo"]["info_slave_data"]["multicast_router"] == 2);
        let (_listener, address) = listens(&instance, &plan)?;
        ensure!(reaches(&client, address));
        Ok(())
    })
}

#[test]
fn eleven_hundred_instances_are_wired_and_reached_on_one_link() -> Result<()> {
    daemon(|network| async move {
        let network = network.joining(orchestrator_network::JOIN_AT);
        network.ensure_bridge(&bridge_plan("br0")).await?;
        // Host ends take ports, wherever the other ends are: one namespace for all keeps it short.
        let instance = Instance::start()?;
        let count = 1100;
        let mut own = Vec::new();
        for number in 1..=count {
            if [1, 2, 550, 1000, 1001, 1050, 1099, 1100].contains(&number) {
                // Those that are reached. A solicitation that goes to all ports gets only to some of them.
                let plan = isolated(number);
                own.push((plan.clone(), wire(&network, &plan).await?));
                continue;
            }
            let plan = AttachmentPlan {
                interface: format!("e{number}"),
                gateway: None,
                ..isolated(number)
            };
            network.ensure_attachment(&plan, &instance.netns).await?;
        }
        let found = network.attachments(MARK).await?;
        let on_link = found
            .iter()
            .filter(|found| found.bridge.as_deref() == Some("br0"))
            .count();
        ensure!(found.len() == usize::from(count) && on_link == found.len());
        let made = joined(&network).await?;
        ensure!(
            made.len() == 1 && made[0].instances == usize::from(count) - orchestrator_network::JOIN_AT,
            "{made:?}"
        );
        ensure!(network.free_ports("br0").await? > 900);
        for (plan, instance) in &own {
            let (_listener, address) = listens(instance, plan)?;
            TcpStream::connect_timeout(&address, PATIENCE).with_context(|| plan.host_interface.clone())?;
        }
        Ok(())
    })
}
