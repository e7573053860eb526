//! Namespaces to test in, and iproute2's view of them.

use std::any::Any;
use std::fs;
use std::future::Future;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::gettid;
use orchestrator_network::{AttachmentPlan, BridgePlan, Network};
use serde_json::Value;

/// The mark that the tests' links carry.
pub(crate) const MARK: &str = "orchestrator-test:";

/// Runs a test on a fresh thread in a fresh namespace, the daemon's.
pub(crate) fn daemon<F: Future<Output = Result<()>>>(test: impl FnOnce(Network) -> F + Send + 'static) -> Result<()> {
    let body = move || -> Result<()> {
        unshare(CloneFlags::CLONE_NEWNET).context("run the tests as root")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { test(Network::open()?).await })
    };
    thread::spawn(body).join().unwrap_or_else(|panic| resume_unwind(panic))
}

type Job = Box<dyn FnOnce() + Send>;

/// Runs `nft`, and returns what it prints.
pub(crate) fn nft(arguments: &str) -> Result<String> {
    let output = Command::new("nft").args(arguments.split(' ')).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "nft {arguments}: {said}");
    Ok(String::from_utf8(output.stdout)?)
}

/// An instance's namespace: that of a thread that waits in it for jobs, and ends with it.
pub(crate) struct Instance {
    /// Where its namespace can be opened.
    pub(crate) netns: PathBuf,
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Instance {
    pub(crate) fn start() -> Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (report, started) = mpsc::channel();
        let thread = thread::spawn(move || {
            let entered = unshare(CloneFlags::CLONE_NEWNET).map(|()| gettid());
            report.send(entered).expect("the test waits for it");
            queue.into_iter().for_each(|job| job());
        });
        let tid = started.recv()??;
        let netns = format!("/proc/{}/task/{tid}/ns/net", std::process::id()).into();
        Ok(Self {
            netns,
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Does something within the namespace.
    pub(crate) fn run<T: Any + Send>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (report, outcome) = mpsc::channel();
        let job = Box::new(move || report.send(job()).expect("the test waits for it"));
        self.jobs
            .as_ref()
            .expect("runs")
            .send(job)
            .expect("the thread takes jobs until it is told to end");
        outcome.recv().expect("the job was done")
    }

    /// The setting as it is within the namespace.
    pub(crate) fn sysctl(&self, key: &str) -> String {
        let path = Path::new("/proc/sys").join(key);
        self.run(move || {
            std::fs::read_to_string(path)
                .expect("the setting exists")
                .trim()
                .to_owned()
        })
    }

    /// Changes a setting within the namespace.
    pub(crate) fn set_sysctl(&self, key: &str, value: &'static str) {
        let path = Path::new("/proc/sys").join(key);
        self.run(move || std::fs::write(path, value).expect("the setting exists"));
    }

    /// What iproute2 tells of the namespace, as JSON.
    pub(crate) fn ip(&self, arguments: &str) -> Result<Value> {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.netns.display()))
            .args(["ip", "-j"])
            .args(arguments.split(' '));
        json(command)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the thread ends when there are no more jobs");
            // The kernel says that a thread has ended before it takes its namespace away.
            while fs::metadata(&self.netns).is_ok() {
                thread::yield_now();
            }
        }
    }
}

/// What iproute2 tells of the daemon's namespace, as JSON; also for changes, which tell nothing.
pub(crate) fn ip(arguments: &str) -> Result<Value> {
    let mut command = Command::new("ip");
    command.arg("-j").args(arguments.split(' '));
    json(command)
}

/// What `bridge` of iproute2 tells of the daemon's namespace, as JSON; also for changes, which tell nothing.
pub(crate) fn bridge(arguments: &str) -> Result<Value> {
    let mut command = Command::new("bridge");
    command.arg("-j").args(arguments.split(' '));
    json(command)
}

/// The one link of this name in the daemon's namespace, in all detail.
pub(crate) fn link(name: &str) -> Result<Value> {
    Ok(ip(&format!("-d link show dev {name}"))?[0].take())
}

/// Whether there is a link of this name in the daemon's namespace.
pub(crate) fn has_link(name: &str) -> Result<bool> {
    let links = ip("link show")?;
    Ok(links
        .as_array()
        .context("a list")?
        .iter()
        .any(|link| link["ifname"] == name))
}

fn json(mut command: Command) -> Result<Value> {
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    match output.stdout.trim_ascii() {
        [] => Ok(Value::Null),
        told => Ok(serde_json::from_slice(told)?),
    }
}

/// Waits until something is so, for at most 10 s.
pub(crate) async fn eventually(what: &str, so: impl Fn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !so()? {
        if Instant::now() > deadline {
            bail!("{what}: not so after 10 s");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// A bridge to be made, with an address.
pub(crate) fn bridge_plan(name: &str) -> BridgePlan {
    BridgePlan {
        name: name.into(),
        create: true,
        address: Some("fd39:9706:2786:6333::1/64".parse().expect("an address")),
        services: Vec::new(),
        mark: format!("{MARK}{name}"),
    }
}

/// The attachment of an isolated instance of this number to `br0`.
pub(crate) fn isolated(number: u16) -> AttachmentPlan {
    AttachmentPlan {
        isolated: true,
        ..attachment_plan(number)
    }
}

/// An instance that is wired as planned.
pub(crate) async fn wire(network: &Network, plan: &AttachmentPlan) -> Result<Instance> {
    let instance = Instance::start()?;
    network.ensure_attachment(plan, &instance.netns).await?;
    Ok(instance)
}

/// The attachment of the instance of this number to `br0`.
pub(crate) fn attachment_plan(number: u16) -> AttachmentPlan {
    let [high, low] = number.to_be_bytes();
    AttachmentPlan {
        host_interface: format!("o-{number}"),
        alias: format!("{MARK}{number}"),
        bridge: "br0".into(),
        interface: "eth1".into(),
        address: format!("fd39:9706:2786:6333::2:{number:x}/64").parse().ok(),
        mac: [0x02, 0, 0, 0, high, low],
        gateway: Some("fd39:9706:2786:6333::1".parse().expect("an address")),
        isolated: false,
    }
}
