//! The host: an engine with the images, and the daemon.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Given;
use crate::show::{ChosenEngine, Terminal};
use crate::{Daemon, Lab, Namespace, Settings, poll, tail};

/// The bridge that the daemon makes.
pub(super) const BRIDGE: &str = "br0";
/// The link's own address, which is the DNS server.
pub(super) const SERVER: &str = "fd39:9706:2786:6333::1";

/// How long the daemon may take until it is ready on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The part of the settings that says what is to happen.
const GIST: &str = r#"[[link]]
bridge = "br0"
create = true
address = "fd39:9706:2786:6333::1/64"
source = "listener"
pool = "fd39:9706:2786:6333::1:0/112"
instances = "fd39:9706:2786:6333::2:0/112"

[dns]
aliases = ["service.consul"]

[balancer]
count = 1
"#;

/// The host.
pub(super) struct Stage {
    pub(super) host: Namespace,
    pub(super) daemon: Daemon,
    binary: PathBuf,
    engine: ChosenEngine,
}

impl Stage {
    pub(super) fn set(lab: &Lab, given: &Given, terminal: &Terminal) -> Result<Self> {
        terminal.title("The host");
        let host = lab.namespace("host")?;
        let engine = ChosenEngine::start(lab, &host, &given.daemon, &given.engine, terminal)?;
        for archive in [&given.balancer, &given.applications[0], &given.applications[1]] {
            let begun = Instant::now();
            terminal.made("image", &engine.load(archive)?, begun.elapsed());
        }
        let begun = Instant::now();
        // Docker is what runs where no engine is named.
        let gist = match engine.name() {
            "docker" => GIST.to_owned(),
            name => format!("{GIST}engine = \"{name}\"\n"),
        };
        let settings = |place: &str| Settings::new(place).with(&engine.section()).with(&gist).text();
        let mut daemon = Daemon::start(&host, &given.daemon, settings).context("cannot start the daemon")?;
        daemon.wait_until_ready(PATIENCE)?;
        terminal.made("daemon", "orchestrator serve --settings settings.toml", begun.elapsed());
        terminal.say("");
        terminal.quote(&gist);
        let stage = Self {
            host,
            daemon,
            binary: given.daemon.clone(),
            engine,
        };
        let begun = Instant::now();
        stage.wait_for_balancer()?;
        terminal.made("balancer", "of the section [balancer]", begun.elapsed());
        Ok(stage)
    }

    /// Waits until the balancer that the daemon keeps by itself serves.
    fn wait_for_balancer(&self) -> Result<()> {
        let served = poll("the balancer", PATIENCE, || {
            let (_, endpoints) = self.daemon.api("GET", "/v1/endpoints?service=balancer").ok()?;
            let members = endpoints["services"]["balancer"]["members"].as_array()?;
            members.iter().any(|one| one["state"] == "serving").then_some(())
        });
        served.with_context(|| format!("the daemon's log ends with:\n{}", tail(&self.daemon.log(), 15)))
    }

    /// Runs a line of the command line, and shows it with what it prints.
    pub(super) fn line(&self, words: &[&str], terminal: &Terminal) -> Result<()> {
        let engine = format!("engine={}", self.engine.name());
        let mut words = words.to_vec();
        // Docker is what a service runs on that names no engine.
        if words.first() == Some(&"deploy") && self.engine.name() != "docker" {
            words.extend(["--set", &engine]);
        }
        // A file goes by its name alone; an image may have a slash in its own.
        let short = |word: &&str| match word.starts_with('/') {
            true => word.rsplit('/').next().unwrap_or_default().to_owned(),
            false => (*word).to_owned(),
        };
        let shown: Vec<String> = words.iter().map(short).collect();
        terminal.say(&format!("  $ orchestrator {}", shown.join(" ")));
        let ran = self.daemon.cli(&words)?;
        let printed = String::from_utf8_lossy(&ran.stdout);
        terminal.quote(printed.trim_end());
        let said = String::from_utf8_lossy(&ran.stderr);
        ensure!(
            ran.status.success(),
            "`orchestrator {}`: {}",
            words.join(" "),
            said.trim()
        );
        Ok(())
    }

    /// The command line against this daemon.
    pub(super) fn cli(&self) -> String {
        let socket = self.daemon.socket();
        format!("{} --api unix:{}", self.binary.display(), socket.display())
    }
}
