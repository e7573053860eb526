//! What must be there before the first client boots: an engine with the image, and the daemon.

use std::env;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use orchestrator_lab::show::{ChosenEngine, Terminal};
use orchestrator_lab::{Daemon, Lab, Namespace, Settings};

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
engine = "ENGINE"
image = "orchestrator/client"
memory = "128MiB"
ready = { tcp = 80, within = "10s" }
grace = "1s"
"#;

/// The host: a namespace with an engine and the daemon.
pub(crate) struct Stage {
    pub(crate) host: Namespace,
    pub(crate) engine: ChosenEngine,
    pub(crate) daemon: Daemon,
    pub(crate) timeline: Timeline,
}

impl Stage {
    pub(crate) fn set(lab: &Lab, binary: &Path, image: &Path, terminal: &Terminal) -> Result<Self> {
        terminal.title("The host");
        let host = lab.namespace("host")?;
        let wanted = env::var("ENGINE").unwrap_or_default();
        let engine = ChosenEngine::start(lab, &host, binary, &wanted, terminal)?;
        let begun = Instant::now();
        terminal.made("image", &engine.load(image)?, begun.elapsed());

        let begun = Instant::now();
        let gist = GIST.replace("ENGINE", engine.name());
        let settings = |place: &str| Settings::new(place).with(&engine.section()).with(&gist).text();
        let mut daemon = Daemon::start(&host, binary, settings).context("cannot start the daemon")?;
        daemon.wait_until_ready(PATIENCE)?;
        terminal.made("daemon", "orchestrator serve --settings settings.toml", begun.elapsed());
        terminal.say("");
        terminal.quote(&gist);
        let timeline = Timeline::follow(&daemon)?;
        Ok(Self {
            host,
            engine,
            daemon,
            timeline,
        })
    }
}
