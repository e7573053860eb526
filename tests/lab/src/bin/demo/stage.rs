//! What must be there before the first client boots: an engine with the image, and the daemon.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use orchestrator_lab::{Daemon, Engine, Lab, Namespace, Settings};

use crate::terminal::Terminal;
use crate::timeline::Timeline;

/// The bridge that the daemon makes and the clients are on.
pub(crate) const BRIDGE: &str = "br0";

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
router_advertisements = true
template = "default"

[template.default]
engine = "docker"
image = "orchestrator/client"
memory = "128MiB"
ready = { tcp = 80, within = "10s" }
grace = "1s"
"#;

/// The host: a namespace with an engine and the daemon.
pub(crate) struct Stage {
    pub(crate) host: Namespace,
    pub(crate) engine: Engine,
    pub(crate) daemon: Daemon,
    pub(crate) timeline: Timeline,
}

impl Stage {
    pub(crate) fn set(lab: &Lab, binary: &Path, image: &Path, terminal: &Terminal) -> Result<Self> {
        terminal.title("The host");
        let host = lab.namespace("host")?;
        let begun = Instant::now();
        let engine = Engine::start(&host).context("cannot start a Docker engine")?;
        terminal.made("engine", &version(&engine)?, begun.elapsed());
        let begun = Instant::now();
        engine.load_image(image)?;
        terminal.made("image", &loaded(&engine)?, begun.elapsed());

        let begun = Instant::now();
        let url = engine.url();
        let mut daemon =
            Daemon::start(&host, binary, |place| settings(place, &url)).context("cannot start the daemon")?;
        daemon.wait_until_ready(PATIENCE)?;
        terminal.made("daemon", "orchestrator serve --settings settings.toml", begun.elapsed());
        terminal.say("");
        terminal.quote(GIST);
        let timeline = Timeline::follow(&daemon)?;
        Ok(Self {
            host,
            engine,
            daemon,
            timeline,
        })
    }
}

fn settings(place: &str, engine: &str) -> String {
    Settings::new(place).engine(engine).with(GIST).text()
}

/// What the engine calls itself.
fn version(engine: &Engine) -> Result<String> {
    let version = engine.api("GET", "/version", None)?.json()?;
    let name = version["Platform"]["Name"]
        .as_str()
        .filter(|name| !name.is_empty())
        .unwrap_or("Docker Engine");
    Ok(format!(
        "{name} {}, a private one",
        version["Version"].as_str().unwrap_or("of an unknown version")
    ))
}

/// The images that the engine has, and their size.
fn loaded(engine: &Engine) -> Result<String> {
    let images = engine.api("GET", "/images/json", None)?.json()?;
    let image = images.get(0).context("the engine has no image")?;
    let name = image["RepoTags"][0].as_str().unwrap_or("without a name");
    Ok(format!(
        "{name}, {} MB",
        image["Size"].as_u64().unwrap_or(0) / 1_000_000
    ))
}
