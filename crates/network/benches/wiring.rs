//! Wiring an instance by netlink, against the `ip` commands that do the same; run as root.
//!
//! Everything happens in network and mount namespaces of the program's own and goes with it.
//! The three ways take turns, each with a fresh namespace to wire, so that all meet the same machine and the same
//! number of ports on the bridge.
//! The commands are given what is to their favour: neither settings nor marks nor isolation.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use orchestrator_network::{AttachmentPlan, BridgePlan, Network};
use tokio::task::JoinSet;

/// How many instances are wired in each way.
const ROUNDS: u16 = 100;

/// How many are wired, and then removed, at once.
const HERD: u16 = 50;

/// The mark of everything that is made here.
const MARK: &str = "orchestrator-bench:";

fn main() -> Result<()> {
    enter_own_namespaces()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let network = Network::open()?;
        let address = Some("fd39:9706:2786:6333::1/64".parse()?);
        network
            .ensure_bridge(&BridgePlan {
                name: "br0".into(),
                create: true,
                address,
                services: Vec::new(),
                mark: MARK.into(),
            })
            .await?;
        one_at_a_time(&network).await?;
        many_at_once(&network).await
    })
}

/// Leaves the machine's network and mounts alone; must come before any thread.
fn enter_own_namespaces() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).context("run this as root")?;
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        None::<&str>,
    )?;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
    Ok(())
}

/// Wires instances one after another and prints what each way takes.
async fn one_at_a_time(network: &Network) -> Result<()> {
    let (mut netlink, mut again, mut commands, mut shell) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for number in 0..ROUNDS {
        let (netns, plan) = (instance(&format!("n{number}"))?, plan(&format!("n{number}"), number));
        let begin = Instant::now();
        network.ensure_attachment(&plan, &netns).await?;
        netlink.push(begin.elapsed());
        let begin = Instant::now();
        network.ensure_attachment(&plan, &netns).await?;
        again.push(begin.elapsed());

        let name = format!("c{number}");
        instance(&name)?;
        commands.push(timed(|| by_ip(&name, number))?);

        let name = format!("s{number}");
        instance(&name)?;
        shell.push(timed(|| by_ip_netns_exec(&name, number))?);
    }
    println!("wiring one instance, {ROUNDS} times each, in turns:");
    let ours = median(&mut netlink);
    for (way, times) in [
        ("netlink (ensure_attachment)", &mut netlink),
        ("netlink, wired already", &mut again),
        ("ip", &mut commands),
        ("ip and ip netns exec", &mut shell),
    ] {
        report(way, times, ours);
    }
    Ok(())
}

/// Wires a herd at once and removes it, once one by one and once together.
async fn many_at_once(network: &Network) -> Result<()> {
    let mut wired = JoinSet::new();
    let mut names = Vec::new();
    let mut plans = Vec::new();
    for number in 0..2 * HERD {
        let name = format!("h{number}");
        plans.push((instance(&name)?, plan(&name, 0x1000 + number)));
        names.push(name);
    }
    let begin = Instant::now();
    for (netns, plan) in plans {
        let network = network.clone();
        wired.spawn(async move { network.ensure_attachment(&plan, &netns).await });
    }
    wired.join_all().await.into_iter().collect::<Result<(), _>>()?;
    let each = begin.elapsed() / (2 * u32::from(HERD));
    println!(
        "wiring {} instances at once: {:.2} ms each",
        2 * HERD,
        milliseconds(each)
    );

    let (one_by_one, together) = names.split_at(HERD.into());
    let begin = Instant::now();
    for name in one_by_one {
        network.remove_attachment(name, MARK).await?;
    }
    let alone = begin.elapsed() / HERD.into();
    let begin = Instant::now();
    network.remove_attachments(together, MARK).await?;
    let grouped = begin.elapsed() / HERD.into();
    println!(
        "removing {HERD} attachments: {:.2} ms each one by one, {:.2} ms each together, ratio {:.1}",
        milliseconds(alone),
        milliseconds(grouped),
        alone.as_secs_f64() / grouped.as_secs_f64(),
    );
    Ok(())
}

/// A new namespace, as an instance has one.
fn instance(name: &str) -> Result<PathBuf> {
    run(&format!("ip netns add {name}"))?;
    let netns = Path::new("/run/netns").join(name);
    ensure!(fs::exists(&netns)?, "{} is missing", netns.display());
    Ok(netns)
}

fn plan(name: &str, number: u16) -> AttachmentPlan {
    let [high, low] = number.to_be_bytes();
    AttachmentPlan {
        host_interface: name.into(),
        alias: format!("{MARK}{name}"),
        bridge: "br0".into(),
        interface: "eth1".into(),
        address: Some(ipnet::Ipv6Net::new_assert(
            [0xfd39, 0x9706, 0x2786, 0x6333, 2, 0, 0, number].into(),
            64,
        )),
        mac: [2, 0, 0, 0, high, low],
        gateway: Some([0xfd39, 0x9706, 0x2786, 0x6333, 0, 0, 0, 1].into()),
        isolated: true,
    }
}

/// With as few commands as it takes.
fn by_ip(name: &str, number: u16) -> Result<()> {
    run(&format!("ip link add {name} type veth peer name eth1 netns {name}"))?;
    run(&format!("ip link set {name} master br0 up"))?;
    run(&format!(
        "ip -n {name} addr add fd39:9706:2786:6333:3::{number:x}/64 dev eth1 nodad"
    ))?;
    run(&format!("ip -n {name} link set eth1 up"))?;
    run(&format!(
        "ip -n {name} -6 route add default via fd39:9706:2786:6333::1 dev eth1"
    ))
}

/// As shell scripts do it.
fn by_ip_netns_exec(name: &str, number: u16) -> Result<()> {
    run(&format!("ip link add {name} type veth peer name g{number}"))?;
    run(&format!("ip link set {name} master br0"))?;
    run(&format!("ip link set {name} up"))?;
    run(&format!("ip link set g{number} netns {name}"))?;
    run(&format!("ip netns exec {name} ip link set g{number} name eth1"))?;
    run(&format!(
        "ip netns exec {name} ip addr add fd39:9706:2786:6333:4::{number:x}/64 dev eth1 nodad"
    ))?;
    run(&format!("ip netns exec {name} ip link set eth1 up"))?;
    run(&format!(
        "ip netns exec {name} ip -6 route add default via fd39:9706:2786:6333::1 dev eth1"
    ))
}

fn run(command: &str) -> Result<()> {
    let mut words = command.split(' ');
    let status = Command::new(words.next().context("a command")?).args(words).status()?;
    ensure!(status.success(), "{command}: {status}");
    Ok(())
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed())
}

fn report(way: &str, times: &mut [Duration], ours: Duration) {
    let median = median(times);
    let ninetieth = times[times.len() * 9 / 10];
    let ratio = median.as_secs_f64() / ours.as_secs_f64();
    let (median, ninetieth) = (milliseconds(median), milliseconds(ninetieth));
    println!("  {way:<28} median {median:7.2} ms   p90 {ninetieth:7.2} ms   ratio {ratio:5.1}");
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
