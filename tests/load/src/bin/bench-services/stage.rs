//! One engine with a daemon before it, and a machine that asks.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use orchestrator_lab::show::{ChosenEngine, Terminal};
use orchestrator_lab::{
    Daemon, Dhclient, Lab, Link, Namespace, PREFIX, Settings, image_archive, lay_out_test_image, poll,
};
use serde_json::{Value, json};

/// How long anything may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// The image of the instances.
pub(crate) const IMAGE: &str = "bench/line";

/// Where they serve.
pub(crate) const PORT: u16 = 8080;

/// Limits that nothing here reaches. What is measured is not how they are kept.
const LIMITS: &str = "[limits]\nport_share = 1\nmemory = \"none\"\ncpus = \"none\"\npids = \"none\"";

/// The first lines of the section for the balancer.
const BALANCER: &str = "[balancer]\ncount = 1\n";

/// A daemon with its engine.
pub(crate) struct Stage {
    pub(crate) engine: ChosenEngine,
    pub(crate) daemon: Daemon,
    /// A machine on the link, with its lease.
    pub(crate) machine: Namespace,
    _lease: Dhclient,
}

impl Stage {
    /// Starts everything, and waits until the daemon is ready.
    pub(crate) fn start(engine: &str, binary: &Path, balancer: &Path) -> Result<Self> {
        let lab = Lab::new()?;
        let host = lab.namespace("host")?;
        let apart = lab.namespace("engine")?;
        let engine = ChosenEngine::start(&lab, &apart, binary, engine, &Terminal::open("bench"))?;
        engine.load(balancer)?;
        engine.load(&image(&lab)?)?;
        let settings = |place: &str| {
            let instances = format!("instances = \"{PREFIX}::2:0/112\"");
            let link = Link::new("br0").lines(&instances);
            Settings::new(place)
                .with(LIMITS)
                .with(&engine.section())
                .link(link)
                .text()
        };
        let mut daemon = Daemon::start(&host, binary, settings)?;
        daemon.wait_until_ready(LIMIT)?;
        let machine = lab.namespace("clients")?;
        machine.connect("eth0", &host, "port0", Some("br0"))?;
        let mut lease = Dhclient::boot(&machine, "eth0")?;
        lease.address(LIMIT)?;
        Ok(Self {
            engine,
            daemon,
            machine,
            _lease: lease,
        })
    }

    /// Has the daemon keep a balancer by itself, and waits until it serves.
    pub(crate) fn keep_balancer(&self) -> Result<()> {
        let lines = format!("\n{BALANCER}engine = \"{}\"\n", self.engine.name());
        self.reload(|settings| settings.to_owned() + &lines)?;
        poll("the balancer", LIMIT, || {
            let serving = self.serving("balancer").ok()?;
            (!serving.is_empty()).then_some(())
        })
    }

    /// Has the daemon keep none any more, and waits until it is gone.
    pub(crate) fn leave_balancer(&self) -> Result<()> {
        let without = |settings: &str| settings.split(BALANCER).next().unwrap_or_default().to_owned();
        self.reload(without)?;
        poll("the balancer to go", LIMIT, || {
            let (status, _) = self.daemon.api("GET", "/v1/services/balancer").ok()?;
            (status == 404).then_some(())
        })
    }

    /// Changes the settings, and puts them in force.
    fn reload(&self, change: impl Fn(&str) -> String) -> Result<()> {
        let path = self.daemon.place().join("settings.toml");
        let settings = fs::read_to_string(&path)?;
        fs::write(&path, change(&settings))?;
        let (status, answer) = self.daemon.api("POST", "/v1/settings/reload")?;
        ensure!(status < 300, "the settings are not put in force: {answer}");
        Ok(())
    }

    /// A service of the bench's image whose page is this line.
    pub(crate) fn service(&self, name: &str, instances: u32, line: &str) -> Value {
        json!({
            "name": name, "instances": instances, "network": "br0", "engine": self.engine.name(), "image": IMAGE,
            "command": [format!("/bin/{}", crate::SERVE), crate::SERVE, line],
            "ports": { "http": PORT },
            "health": { "http": "/", "port": "http", "every": "1s" },
            "strategy": { "surge": 1, "drain": "10s", "within": "120s" },
            "memory": "64MiB",
        })
    }

    /// Declares a service, and waits until it is as declared. The time is from the request to the end of the operation.
    pub(crate) fn deploy(&self, service: &Value) -> Result<Duration> {
        let name = service["name"].as_str().context("a service without a name")?;
        let begun = Instant::now();
        let (status, answer) = self.daemon.send("PUT", &format!("/v1/services/{name}"), service)?;
        ensure!(status < 300, "{name} is not deployed: {answer}");
        self.end(&answer)?;
        Ok(begun.elapsed())
    }

    /// Has something done with a service, and waits until it is done.
    pub(crate) fn post(&self, name: &str, verb: &str, body: &Value) -> Result<()> {
        let (status, answer) = self.daemon.send("POST", &format!("/v1/services/{name}/{verb}"), body)?;
        ensure!(status < 300, "{verb} of {name}: {answer}");
        self.end(&answer)
    }

    /// Waits until a service and its instances are gone.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let (status, answer) = self.daemon.api("DELETE", &format!("/v1/services/{name}"))?;
        ensure!(status < 300, "{name} is not removed: {answer}");
        self.end(&answer)
    }

    fn end(&self, deployment: &Value) -> Result<()> {
        let Some(id) = deployment["operation"]["id"].as_str() else {
            return Ok(());
        };
        let path = format!("/v1/operations/{id}?wait=50s");
        let operation = poll("an operation to end", LIMIT, || {
            let (status, operation) = self.daemon.api("GET", &path).ok()?;
            (status == 200 && operation["state"] != "running").then_some(operation)
        })?;
        ensure!(operation["state"] == "done", "it failed: {operation}");
        Ok(())
    }

    /// Where the instances of a service serve.
    pub(crate) fn serving(&self, name: &str) -> Result<Vec<Ipv6Addr>> {
        let (_, answer) = self.daemon.api("GET", &format!("/v1/endpoints?service={name}"))?;
        let members = answer["services"][name]["members"].as_array().cloned();
        let serving = members.unwrap_or_default().into_iter();
        let addresses = serving.filter(|member| member["state"] == "serving");
        Ok(addresses
            .filter_map(|member| member["address"].as_str()?.parse().ok())
            .collect())
    }

    /// Where one of them serves.
    pub(crate) fn first(&self, name: &str, port: u16) -> Result<SocketAddr> {
        let address = self.serving(name)?.first().copied();
        Ok((address.with_context(|| format!("{name} serves nowhere"))?, port).into())
    }
}

/// An image with this program in it, as a web server, and the libraries that it is linked with.
fn image(lab: &Lab) -> Result<PathBuf> {
    let root = lab.place("image")?.join("root");
    lay_out_test_image(&root)?;
    symlink("busybox", root.join("bin/true"))?;
    let own = std::env::current_exe()?;
    fs::copy(&own, root.join("bin").join(crate::SERVE))?;
    let printed = Command::new("ldd").arg(&own).output().context("cannot run ldd")?;
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    for library in printed.split_whitespace().filter(|word| word.starts_with('/')) {
        let to = root.join(library.trim_start_matches('/'));
        fs::create_dir_all(to.parent().context("a library without a directory")?)?;
        fs::copy(library, to)?;
    }
    let command = json!({ "Cmd": [format!("/bin/{}", crate::SERVE), crate::SERVE, "a line"] });
    image_archive(lab, &root, IMAGE, "the bench", &command)
}
