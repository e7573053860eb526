//! The engine alone: the same containers and commands, by its own API.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::sched::{CloneFlags, setns};
use orchestrator_lab::show::ChosenEngine;
use orchestrator_lab::{Engine, Oci};
use serde_json::{Value, json};

use crate::stage::{IMAGE, LIMIT, PORT};

/// The mark of containers that no daemon made.
const SITE: &str = "ba9876543210";

/// Creates and starts so many containers at once. The time is that until the last listens; afterwards they are gone.
pub(crate) fn start(engine: &ChosenEngine, count: usize) -> Result<Duration> {
    let begun = Instant::now();
    let started = at_once(&(0..count).collect::<Vec<_>>(), count, |number| {
        let (reference, pid) = match engine {
            ChosenEngine::Docker(engine) => by_api(engine)?,
            ChosenEngine::Oci(oci) => by_helper(oci, *number)?,
        };
        until_listening(pid)?;
        Ok(reference)
    });
    let took = begun.elapsed();
    let references = started?;
    at_once(&references, count, |reference| match engine {
        ChosenEngine::Docker(engine) => {
            let path = format!("/containers/{reference}?force=1&v=1");
            engine.api("DELETE", &path, None).map(drop)
        }
        ChosenEngine::Oci(oci) => {
            let question = json!({ "site": SITE, "container": container(reference) });
            oci.ask("POST", "/v1/remove", Some(&question)).map(drop)
        }
    })?;
    Ok(took)
}

/// Does something with each, so many at once, and returns what came of it.
pub(crate) fn at_once<T: Sync, R: Send>(
    all: &[T],
    count: usize,
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = work(one);
                    if let Ok(mut done) = done.lock() {
                        done.push(outcome);
                    }
                }
            });
        }
    });
    let done = done.into_inner().map_err(|_| anyhow!("a thread ended"))?;
    done.into_iter().collect()
}

fn by_api(engine: &Engine) -> Result<(String, u64)> {
    let body = json!({
        "Image": IMAGE,
        "HostConfig": {
            "NetworkMode": "none", "Init": true, "Memory": 64 << 20, "MemorySwap": 64 << 20,
            "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"],
            "Sysctls": { "net.ipv6.conf.all.disable_ipv6": "0", "net.ipv4.ip_unprivileged_port_start": "0" },
        },
    });
    let created = engine.api("POST", "/containers/create", Some(&body))?.json()?;
    let id = created["Id"]
        .as_str()
        .with_context(|| format!("nothing was created: {created}"))?;
    let started = engine.api("POST", &format!("/containers/{id}/start"), None)?;
    ensure!(started.status == 204, "the engine did not start it: {}", started.text());
    let inspected = engine.api("GET", &format!("/containers/{id}/json"), None)?.json()?;
    let pid = inspected["State"]["Pid"].as_u64().context("it does not run")?;
    Ok((id.to_owned(), pid))
}

fn by_helper(oci: &Oci, number: usize) -> Result<(String, u64)> {
    let instance = format!("0123456{number:05x}");
    let body = json!({
        "site": SITE, "container": container(&instance),
        "spec": { "image": IMAGE, "hostname": "alone", "resources": { "memory": 64 << 20 } },
        "network": "own", "log": { "size": 1 << 20, "files": 2 },
    });
    let found = oci.ask("POST", "/v1/ensure", Some(&body))?;
    let pid = found["state"]["running"]["pid"].as_u64().context("it does not run")?;
    Ok((instance, pid))
}

fn container(instance: &str) -> Value {
    json!({ "instance": instance, "name": "main", "reference": null })
}

/// Waits until the container of this first process listens.
fn until_listening(pid: u64) -> Result<()> {
    let namespace = File::open(format!("/proc/{pid}/ns/net"))?;
    let waiting = thread::spawn(move || -> Result<()> {
        setns(namespace, CloneFlags::CLONE_NEWNET)?;
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            if TcpStream::connect(("::1", PORT)).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(1));
        }
        bail!("it does not listen")
    });
    waiting
        .join()
        .map_err(|_| anyhow!("the thread that waits for it ended"))?
}

/// A container that the daemon made.
pub(crate) struct Made {
    pub(crate) instance: String,
    pub(crate) reference: String,
    pub(crate) site: String,
}

/// Runs `true` in each, so many at once.
pub(crate) fn exec(engine: &ChosenEngine, all: &[Made], count: usize) -> Result<Duration> {
    let begun = Instant::now();
    at_once(all, count, |made| match engine {
        ChosenEngine::Docker(engine) => exec_by_api(engine, made),
        ChosenEngine::Oci(oci) => exec_by_helper(oci, made),
    })?;
    Ok(begun.elapsed())
}

fn exec_by_api(engine: &Engine, made: &Made) -> Result<()> {
    let body = json!({ "Cmd": ["true"], "AttachStdout": true, "AttachStderr": true });
    let path = format!("/containers/{}/exec", made.reference);
    let created = engine.api("POST", &path, Some(&body))?.json()?;
    let id = created["Id"]
        .as_str()
        .with_context(|| format!("no command: {created}"))?;
    let run = json!({ "Detach": false, "Tty": false });
    engine.api("POST", &format!("/exec/{id}/start"), Some(&run))?;
    let ended = engine.api("GET", &format!("/exec/{id}/json"), None)?.json()?;
    ensure!(ended["ExitCode"] == 0, "the command failed: {ended}");
    Ok(())
}

fn exec_by_helper(oci: &Oci, made: &Made) -> Result<()> {
    /// The kind of the frame with the exit code.
    const EXIT: u8 = 5;
    let question = json!({
        "site": made.site,
        "container": { "instance": made.instance, "name": "main", "reference": made.reference },
        "command": { "arguments": ["true"], "environment": {}, "user": null, "directory": null, "terminal": null },
    });
    let body = question.to_string();
    let mut stream = UnixStream::connect(oci.socket())?;
    write!(
        stream,
        "POST /v1/exec HTTP/1.1\r\nHost: helper\r\nConnection: Upgrade\r\nUpgrade: orchestrator-frames\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    ensure!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    loop {
        let mut frame = [0; 5];
        stream.read_exact(&mut frame)?;
        let [kind, length @ ..] = frame;
        let mut payload = vec![0; usize::try_from(u32::from_be_bytes(length))?];
        stream.read_exact(&mut payload)?;
        if kind == EXIT {
            ensure!(payload == [0; 8], "the command failed: {payload:?}");
            return Ok(());
        }
    }
}
