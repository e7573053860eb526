//! Wiring 3,000 instances on one link: what one costs when few and when many are there; run as root.
//!
//! A bridge has 1,023 ports. The instances after the first thousand are on joined bridges, which are made on the way. Each
//! has a bare network namespace of its own; no engine takes part. Everything happens in a namespace of the program's own
//! and goes with it.
//!
//! The yardstick is a veth pair that `ip` makes and removes at the same moment: what the kernel itself takes when so many
//! interfaces are there.

use std::fs::File;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sched::{CloneFlags, setns, unshare};
use orchestrator_network::{AttachmentPlan, BridgePlan, JOIN_AT, Network};

/// How many instances are wired.
const INSTANCES: u16 = 3000;
/// How many make one row.
const WINDOW: usize = 100;
/// The mark of everything that is made here.
const MARK: &str = "orchestrator-bench:";

/// A network namespace that nobody is in. The descriptor keeps it.
struct Bare(File);

impl Bare {
    fn new() -> Result<Self> {
        let made = thread::spawn(|| -> Result<File> {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Ok(File::open("/proc/thread-self/ns/net")?)
        });
        let joined = made.join().map_err(|_| anyhow::anyhow!("the thread ended"))?;
        Ok(Self(joined?))
    }

    fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }

    /// Serves one connection within it.
    fn listen(&self, at: SocketAddr) -> Result<TcpListener> {
        let namespace = self.0.try_clone()?;
        let bound = thread::spawn(move || -> Result<TcpListener> {
            setns(namespace, CloneFlags::CLONE_NEWNET)?;
            Ok(TcpListener::bind(at)?)
        });
        bound.join().map_err(|_| anyhow::anyhow!("the thread ended"))?
    }
}

fn main() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).context("run this as root")?;
    // One for each namespace.
    let own = std::process::id().to_string();
    let raised = Command::new("prlimit")
        .args(["--nofile=16384:16384", "--pid", &own])
        .status()?;
    ensure!(raised.success(), "this needs 16,384 open files");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let network = Network::open()?.joining(JOIN_AT);
        network
            .ensure_bridge(&BridgePlan {
                name: "br0".into(),
                create: true,
                address: Some("fd39:9706:2786:6333::1/64".parse()?),
                services: Vec::new(),
                mark: format!("{MARK}br0"),
            })
            .await?;
        wire_all(&network).await
    })
}

async fn wire_all(network: &Network) -> Result<()> {
    println!("wiring {INSTANCES} instances on one link, {WINDOW} a row:");
    let mut instances = Vec::new();
    let (mut times, mut yardstick) = (Vec::new(), Vec::new());
    let mut first = None;
    let mut joining = Vec::new();
    let mut known = 0;
    for number in 1..=INSTANCES {
        let (instance, plan) = (Bare::new()?, plan(number));
        let begin = Instant::now();
        network.ensure_attachment(&plan, &instance.path()).await?;
        let taken = begin.elapsed();
        instances.push(instance);
        let on = network.find_attachment(&plan.host_interface, MARK).await?;
        let joined = on.and_then(|on| on.joined);
        match joined
            .and_then(|name| name.rsplit('-').next()?.parse::<usize>().ok())
            .unwrap_or(0)
        {
            bridge if bridge > known => {
                known = bridge;
                joining.push(taken);
            }
            _ => times.push(taken),
        }
        if usize::from(number) % 10 == 0 {
            yardstick.push(pair()?);
        }
        if usize::from(number) % WINDOW == 0 {
            row(number, known, &mut times, &mut yardstick, &mut first);
        }
    }
    for (number, taken) in (1..).zip(joining) {
        println!(
            "  with joined bridge {number} made before it: {:.2} ms",
            milliseconds(taken)
        );
    }
    all_answer(&instances)?;
    let names: Vec<String> = (1..=INSTANCES).map(|number| plan(number).host_interface).collect();
    let begin = Instant::now();
    network.remove_attachments(&names, MARK).await?;
    let gone = network.remove_joined(MARK).await?;
    println!(
        "  removed all, and {} joined bridges, in {:.2} s",
        gone.len(),
        begin.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Connects to the first, a middle and the last instance of each bridge, from this machine. Fails if one does not answer.
fn all_answer(instances: &[Bare]) -> Result<()> {
    for number in [1, 500, 1000, 1001, 1500, 2000, 2001, 2500, 3000_u16] {
        let address = SocketAddr::from((address(number), 80));
        let listener = instances[usize::from(number) - 1].listen(address)?;
        let begin = Instant::now();
        match TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
            Ok(_) => println!(
                "  instance {number} answered after {:.2} ms",
                milliseconds(begin.elapsed())
            ),
            Err(fault) => bail!("instance {number} did not answer: {fault}"),
        }
        drop(listener);
    }
    Ok(())
}

/// The time that `ip` takes to make and to remove a pair.
fn pair() -> Result<Duration> {
    let begin = Instant::now();
    for arguments in [
        "link add yardstick type veth peer name kcitsdray",
        "link delete yardstick",
    ] {
        let status = Command::new("ip").args(arguments.split(' ')).status()?;
        ensure!(status.success(), "ip {arguments}");
    }
    Ok(begin.elapsed())
}

fn row(
    number: u16,
    joined: usize,
    times: &mut Vec<Duration>,
    yardstick: &mut Vec<Duration>,
    first: &mut Option<Duration>,
) {
    let kernel = median(yardstick);
    let (median, ninetieth) = (median(times), times[times.len() * 9 / 10]);
    let first = *first.get_or_insert(median);
    if number <= 100 || number.is_multiple_of(500) {
        println!(
            "  up to {number:4} ({joined} joined)  median {:6.2} ms   p90 {:6.2} ms   ratio to the first {:5.2}   ip {:6.2} ms",
            milliseconds(median),
            milliseconds(ninetieth),
            median.as_secs_f64() / first.as_secs_f64(),
            milliseconds(kernel),
        );
    }
    times.clear();
    yardstick.clear();
}

fn address(number: u16) -> Ipv6Addr {
    [0xfd39, 0x9706, 0x2786, 0x6333, 2, 0, 0, number].into()
}

fn plan(number: u16) -> AttachmentPlan {
    let [high, low] = number.to_be_bytes();
    AttachmentPlan {
        host_interface: format!("o-{number}"),
        alias: format!("{MARK}{number}"),
        bridge: "br0".into(),
        interface: "eth1".into(),
        address: Some(ipnet::Ipv6Net::new_assert(address(number), 128)),
        mac: [2, 0, 0, 0, high, low],
        gateway: Some([0xfd39, 0x9706, 0x2786, 0x6333, 0, 0, 0, 1].into()),
        isolated: true,
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
