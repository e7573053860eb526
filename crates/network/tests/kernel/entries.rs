//! The settings of an instance's port, and the fixed entries of its addresses.

use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use orchestrator_network::{AttachmentPlan, Flaw, LinkChange, Network, ROUTE_PROTOCOL};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::{
    Instance, MARK, attachment_plan, bridge, bridge_plan, daemon, eventually, ip, isolated, link, wire,
};

/// How long a connection may take to be made.
const PATIENCE: Duration = Duration::from_secs(2);

/// A client of the link, on a port that has the kernel's settings and learns.
fn client(number: u16) -> Result<(Instance, [u8; 6])> {
    let instance = Instance::start()?;
    let holder = instance.netns.display().to_string();
    let holder = holder.split('/').nth(4).context("the thread's number")?.to_owned();
    let mac = [6, 0, 0, 0, 0, u8::try_from(number)?];
    let text = written(mac);
    ip(&format!(
        "link add c-{number} master br0 type veth peer name eth1 address {text} netns {holder}"
    ))?;
    ip(&format!("link set c-{number} up"))?;
    instance.set_sysctl("net/ipv6/conf/eth1/accept_dad", "0");
    instance.ip("link set eth1 up")?;
    instance.ip(&format!("addr add fd39:9706:2786:6333::c:{number:x}/64 dev eth1 nodad"))?;
    Ok((instance, mac))
}

fn written(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}

/// Sends something to all nodes with another source than its own, as whoever wants the frames of that address does.
fn claims(thief: &Instance, mac: [u8; 6]) -> Result<()> {
    let own = thief.ip("link show dev eth1")?[0]["address"].take();
    let own = own.as_str().context("an address")?.to_owned();
    let index = thief.ip("link show dev eth1")?[0]["ifindex"]
        .as_u64()
        .context("a number")?;
    thief.ip(&format!("link set eth1 address {}", written(mac)))?;
    let sent = thief.run(move || -> Result<()> {
        let all = SocketAddr::V6(std::net::SocketAddrV6::new(
            "ff02::1".parse()?,
            9,
            0,
            u32::try_from(index)?,
        ));
        let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?;
        for _ in 0..3 {
            socket.send_to(b"mine", all)?;
        }
        Ok(())
    });
    thief.ip(&format!("link set eth1 address {own}"))?;
    sent
}

/// Serves something within an instance or a client.
fn listens(at: &Instance, address: Ipv6Addr) -> Result<(TcpListener, SocketAddr)> {
    let address = SocketAddr::from((address, 80));
    Ok((at.run(move || TcpListener::bind(address))?, address))
}

/// The entry of an address in the forwarding database of a bridge that is no entry of the bridge itself.
fn forwarding(mac: [u8; 6]) -> Result<Value> {
    let all = bridge("fdb show br br0")?;
    let all = all.as_array().context("a list")?;
    let found = all.iter().find(|entry| entry["mac"] == written(mac).as_str());
    Ok(found.cloned().unwrap_or_default())
}

/// The addresses of which this machine has a permanent neighbour entry with our mark.
fn neighbors() -> Result<Vec<String>> {
    let all = ip(&format!("-6 neigh show nud permanent protocol {ROUTE_PROTOCOL}"))?;
    let all = all.as_array().cloned().unwrap_or_default();
    Ok(all
        .iter()
        .filter_map(|entry| Some(entry["dst"].as_str()?.to_owned()))
        .collect())
}

#[test]
fn an_isolated_instance_has_a_locked_port_and_fixed_entries() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        for (plan, guarded) in [(isolated(1), true), (attachment_plan(2), false)] {
            let _instance = wire(&network, &plan).await?;
            let port = link(&plan.host_interface)?["linkinfo"]["info_slave_data"].take();
            for (setting, wanted) in [
                ("isolated", guarded),
                ("locked", guarded),
                ("learning", !guarded),
                ("flood", !guarded),
                ("bcast_flood", !guarded),
                ("mcast_flood", true),
                ("neigh_suppress", false),
            ] {
                ensure!(port[setting] == wanted, "{setting} of {}: {port}", plan.host_interface);
            }
            let entry = forwarding(plan.mac)?;
            let flags = entry["flags"].as_array().context("flags")?;
            ensure!(
                entry["ifname"] == plan.host_interface.as_str() && entry["state"] == "static",
                "{entry}"
            );
            ensure!(flags.contains(&"sticky".into()), "{entry}");
            let address = plan.address.context("an address")?.addr().to_string();
            ensure!(neighbors()?.contains(&address));
            ensure!(network.find_port_flaw(&plan).await?.is_none());
            let found = network.find_attachment(&plan.host_interface, MARK).await?;
            ensure!(found.is_some_and(|found| found.guarded));
        }
        Ok(())
    })
}

#[test]
fn nobody_takes_over_the_link_layer_address_of_an_instance_and_an_isolated_instance_no_others() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let (thief, _) = client(7)?;
        let (victim, victim_mac) = client(8)?;
        let (_listener, of_victim) = listens(&victim, "fd39:9706:2786:6333::c:8".parse()?)?;
        TcpStream::connect_timeout(&of_victim, PATIENCE).context("the client, before")?;
        for plan in [isolated(1), attachment_plan(2)] {
            let instance = wire(&network, &plan).await?;
            let (_listener, address) = listens(&instance, plan.address.context("an address")?.addr())?;
            claims(&thief, plan.mac)?;
            ensure!(forwarding(plan.mac)?["ifname"] == plan.host_interface.as_str());
            TcpStream::connect_timeout(&address, PATIENCE).context("the instance, from the host")?;
            let from_client = victim.run(move || TcpStream::connect_timeout(&address, PATIENCE));
            from_client.context("the instance, from a client")?;
            if plan.isolated {
                claims(&instance, victim_mac)?;
                ensure!(forwarding(victim_mac)?["ifname"] == "c-8");
                TcpStream::connect_timeout(&of_victim, PATIENCE).context("the client, after")?;
            }
        }
        // So that the test can fail: a client takes over what a client had.
        claims(&thief, victim_mac)?;
        ensure!(forwarding(victim_mac)?["ifname"] == "c-7", "no frame was sent");
        Ok(())
    })
}

#[test]
fn what_another_hand_changes_about_a_port_is_noticed_and_restored() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let (_client, _) = client(7)?;
        let plan = isolated(1);
        let instance = wire(&network, &plan).await?;
        let (changes, mut told) = mpsc::channel(64);
        let watching = network.clone();
        let watch = tokio::spawn(async move { watching.watch(changes).await });
        ensure!(told.recv().await == Some(LinkChange::Everything));
        let changed = LinkChange::AttachmentChanged {
            host_interface: plan.host_interface.clone(),
            alias: plan.alias.clone(),
        };
        let mac = written(plan.mac);
        let setting = |setting: &str| format!("ip link set o-1 type bridge_slave {setting}");
        for (change, flaw) in [
            (setting("isolated off"), Flaw::OtherIsolation),
            (setting("locked off"), Flaw::OtherPort),
            (setting("learning on"), Flaw::OtherPort),
            (setting("flood on"), Flaw::OtherPort),
            (setting("bcast_flood on"), Flaw::OtherPort),
            (format!("bridge fdb del {mac} dev o-1 master"), Flaw::NotFixed),
            (
                format!("bridge fdb replace {mac} dev o-1 master dynamic"),
                Flaw::NotFixed,
            ),
            (
                format!("bridge fdb replace {mac} dev c-7 master static"),
                Flaw::NotFixed,
            ),
        ] {
            let (program, arguments) = change.split_once(' ').context("a program")?;
            match program {
                "ip" => ip(arguments)?,
                _ => bridge(arguments)?,
            };
            let noticed = timeout(Duration::from_secs(10), told.recv()).await;
            ensure!(noticed.context(change.clone())?.as_ref() == Some(&changed), "{change}");
            ensure!(network.find_port_flaw(&plan).await? == Some(flaw), "{change}");
            network.ensure_attachment(&plan, &instance.netns).await?;
            ensure!(network.find_port_flaw(&plan).await?.is_none(), "{change}");
            // Restoring it is a change, too.
            while let Ok(Some(_)) = timeout(Duration::from_millis(100), told.recv()).await {}
        }
        watch.abort();
        for change in ["-6 neigh del fd39:9706:2786:6333::2:1 dev br0", "link set br0 down"] {
            ip(change)?;
            ensure!(
                network.find_port_flaw(&plan).await? == Some(Flaw::NoNeighbor),
                "{change}"
            );
            ip("link set br0 up")?;
            network.ensure_attachment(&plan, &instance.netns).await?;
            ensure!(network.find_port_flaw(&plan).await?.is_none(), "{change}");
        }
        Ok(())
    })
}

#[test]
fn a_neighbour_entry_goes_with_its_attachment_and_no_other_does() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        ip("-6 neigh add fd39:9706:2786:6333::77 lladdr 02:00:00:00:00:77 dev br0 nud permanent")?;
        let (changes, mut told) = mpsc::channel(64);
        let watching = network.clone();
        let watch = tokio::spawn(async move { watching.watch(changes).await });
        ensure!(told.recv().await == Some(LinkChange::Everything));
        let mut running = Vec::new();
        for number in 1..=5 {
            running.push(wire(&network, &isolated(number)).await?);
        }
        ensure!(neighbors()?.len() == 5);
        network.remove_attachment("o-1", MARK).await?;
        ensure!(neighbors()?.len() == 4, "one by one");
        network.remove_attachments(&["o-2", "o-3"], MARK).await?;
        ensure!(neighbors()?.len() == 2, "together");
        // With its namespace, as when the instance ends.
        drop(running.remove(3));
        eventually("the entry of one that ended is gone", || Ok(neighbors()?.len() == 1)).await?;
        // While no daemon runs.
        watch.abort();
        ip("link del o-5")?;
        let later = Network::open()?;
        let (changes, mut told) = mpsc::channel(64);
        let watch = tokio::spawn(async move { later.watch(changes).await });
        ensure!(told.recv().await == Some(LinkChange::Everything));
        ensure!(neighbors()?.is_empty());
        let all = ip("-6 neigh show nud permanent")?;
        ensure!(
            all.as_array().is_some_and(|all| all.len() == 1),
            "a stranger's stays: {all}"
        );
        watch.abort();
        Ok(())
    })
}

#[test]
fn neighbour_entries_are_restored_when_their_bridge_gets_another_link_layer_address() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let plans = [isolated(1), isolated(2)];
        let mut running = Vec::new();
        for plan in &plans {
            running.push(wire(&network, plan).await?);
        }
        network.ensure_bridge(&bridge_plan("br0")).await?;
        ensure!(neighbors()?.len() == 2, "the same address is not given twice");
        // Nobody watches: it is no flaw of an instance, and looking at one restores all.
        ip("link set br0 address 02:00:00:00:77:00")?;
        ensure!(neighbors()?.is_empty());
        ensure!(network.find_port_flaw(&plans[0]).await?.is_none());
        ensure!(neighbors()?.len() == 2);
        let (changes, mut told) = mpsc::channel(64);
        let watching = network.clone();
        let watch = tokio::spawn(async move { watching.watch(changes).await });
        ensure!(told.recv().await == Some(LinkChange::Everything));
        for mac in ["02:00:00:00:77:01", "02:00:00:00:77:02"] {
            ip(&format!("link set br0 address {mac}"))?;
            eventually("both entries are there again", || Ok(neighbors()?.len() == 2)).await?;
        }
        for plan in &plans {
            ensure!(network.find_port_flaw(plan).await?.is_none());
        }
        watch.abort();
        Ok(())
    })
}

#[test]
fn a_neighbour_entry_follows_the_address_of_its_instance() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let mut plan = isolated(1);
        let instance = wire(&network, &plan).await?;
        let first = neighbors()?;
        plan.address = "fd39:9706:2786:6333::3:1/64".parse().ok();
        network.ensure_attachment(&plan, &instance.netns).await?;
        ensure!(neighbors()? == ["fd39:9706:2786:6333::3:1"] && first != neighbors()?);
        // Another instance has the address before the first is gone.
        let next = AttachmentPlan {
            address: plan.address,
            ..isolated(2)
        };
        let running = wire(&network, &next).await?;
        network.remove_attachment("o-1", MARK).await?;
        ensure!(neighbors()? == ["fd39:9706:2786:6333::3:1"]);
        ensure!(network.find_port_flaw(&next).await?.is_none());
        plan.address = None;
        plan.host_interface = "o-2".into();
        plan.alias = next.alias.clone();
        plan.mac = next.mac;
        network.ensure_attachment(&plan, &running.netns).await?;
        ensure!(neighbors()?.is_empty(), "an address that is pending has none");
        Ok(())
    })
}

#[test]
fn a_bridge_without_ipv6_takes_instances_without_neighbour_entries() -> Result<()> {
    daemon(|network| async move {
        ip("link add br0 type bridge")?;
        std::fs::write("/proc/sys/net/ipv6/conf/br0/disable_ipv6", "1")?;
        ip("link set br0 mtu 1280")?;
        ip("link set br0 up")?;
        let plan = isolated(1);
        let _instance = wire(&network, &plan).await?;
        ensure!(network.find_port_flaw(&plan).await?.is_none());
        network.remove_attachment("o-1", MARK).await?;
        ensure!(neighbors()?.is_empty());
        Ok(())
    })
}
