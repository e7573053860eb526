//! The engine alone: the same container without a network, until it listens.

use std::fs::File;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::sched::{CloneFlags, setns};
use orchestrator_lab::{Engine, Oci, TEST_IMAGE, TEST_PORT};
use serde_json::{Value, json};

use crate::one::KNOCK;
use crate::stage::{LIMIT, Running, Stage};

/// The time that the engine takes to create and start a container, and the container to listen. Questions about it in
/// between are not counted.
pub(crate) fn measure(stage: &Stage) -> Result<Duration> {
    match &stage.engine {
        Running::Api(engine) => by_api(engine),
        Running::Helper(oci) => by_helper(oci),
    }
}

fn by_api(engine: &Engine) -> Result<Duration> {
    let body = json!({
        "Image": TEST_IMAGE,
        "HostConfig": {
            "NetworkMode": "none", "Init": true, "Memory": 128 << 20, "MemorySwap": 128 << 20,
            "NanoCpus": 500_000_000, "PidsLimit": 128, "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"],
            "Sysctls": { "net.ipv6.conf.all.disable_ipv6": "0", "net.ipv4.ip_unprivileged_port_start": "0" },
        },
    });
    let began = Instant::now();
    let created = engine.api("POST", "/containers/create", Some(&body))?.json()?;
    let id = created["Id"]
        .as_str()
        .with_context(|| format!("the engine created nothing: {created}"))?;
    let started = engine.api("POST", &format!("/containers/{id}/start"), None)?;
    let took = began.elapsed();
    ensure!(started.status == 204, "the engine did not start it: {}", started.text());
    let inspected = engine.api("GET", &format!("/containers/{id}/json"), None)?.json()?;
    let listening = until_listening(&inspected["State"]["Pid"]);
    engine.api("DELETE", &format!("/containers/{id}?force=1&v=1"), None)?;
    Ok(took + listening?)
}

fn by_helper(oci: &Oci) -> Result<Duration> {
    let container = json!({ "instance": "0123456789ab", "name": "main", "reference": null });
    let site = "ba9876543210";
    let body = json!({
        "site": site,
        "container": container,
        "spec": {
            "image": TEST_IMAGE, "hostname": "alone",
            "resources": { "memory": 128 << 20, "millicpus": 500, "pids": 128 },
        },
        "network": "own",
        "log": { "size": 1 << 20, "files": 2 },
    });
    let began = Instant::now();
    let found = oci.ask("POST", "/v1/ensure", Some(&body))?;
    let took = began.elapsed();
    let listening = until_listening(&found["state"]["running"]["pid"]);
    oci.ask(
        "POST",
        "/v1/remove",
        Some(&json!({ "site": site, "container": container })),
    )?;
    Ok(took + listening?)
}

/// Waits until the container of this first process listens, and returns how long that took.
fn until_listening(pid: &Value) -> Result<Duration> {
    let pid = pid.as_u64().filter(|pid| *pid > 0).context("it does not run")?;
    let namespace = File::open(format!("/proc/{pid}/ns/net"))?;
    let waiting = thread::spawn(move || -> Result<Duration> {
        setns(namespace, CloneFlags::CLONE_NEWNET)?;
        let began = Instant::now();
        while began.elapsed() < LIMIT {
            if TcpStream::connect(("::1", TEST_PORT)).is_ok() {
                return Ok(began.elapsed());
            }
            thread::sleep(KNOCK);
        }
        bail!("it does not listen")
    });
    waiting
        .join()
        .map_err(|_| anyhow!("the thread that waits for it ended"))?
}
