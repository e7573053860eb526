//! The engine of the demo: Docker, or runc through the helper of this project.

use std::env;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use orchestrator_lab::{Engine, Lab, Namespace, Oci, oci_program};

use crate::terminal::Terminal;

/// What runs the containers.
pub(crate) enum DemoEngine {
    /// A private Docker engine.
    Docker(Engine),
    /// The helper orchestrator-oci.
    Oci(Oci),
}

/// A container as its engine has it.
pub(crate) struct Shown {
    /// The engine's name for it.
    pub(crate) reference: String,
    /// What it does.
    pub(crate) status: String,
}

impl DemoEngine {
    /// Starts the engine that `ENGINE` names. Without a name it is Docker, or runc where no Docker can run.
    pub(crate) fn start(lab: &Lab, host: &Namespace, daemon: &Path, terminal: &Terminal) -> Result<Self> {
        let begun = Instant::now();
        let wanted = env::var("ENGINE").unwrap_or_default();
        let engine = match wanted.as_str() {
            "oci" => Self::oci(lab, daemon)?,
            "docker" => Self::Docker(Engine::start(host).context("cannot start a Docker engine")?),
            "" => match Engine::start(host) {
                Ok(engine) => Self::Docker(engine),
                Err(fault) => {
                    terminal.say(&format!("  no Docker runs here ({fault}): runc takes its place"));
                    Self::oci(lab, daemon)?
                }
            },
            other => bail!("ENGINE is docker or oci, and not {other:?}"),
        };
        terminal.made("engine", &engine.version()?, begun.elapsed());
        Ok(engine)
    }

    fn oci(lab: &Lab, daemon: &Path) -> Result<Self> {
        let program = oci_program(daemon)?;
        Ok(Self::Oci(Oci::start(lab, &program).context("cannot start the helper")?))
    }

    /// Its name in the settings of the daemon.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Docker(_) => "docker",
            Self::Oci(_) => "oci",
        }
    }

    /// Its section of the settings of the daemon.
    pub(crate) fn section(&self) -> String {
        match self {
            Self::Docker(engine) => format!("[engine.docker]\nhost = \"{}\"\n", engine.url()),
            Self::Oci(oci) => oci.section("prepared = true"),
        }
    }

    /// What the engine calls itself.
    fn version(&self) -> Result<String> {
        match self {
            Self::Docker(engine) => {
                let version = engine.api("GET", "/version", None)?.json()?;
                let name = version["Platform"]["Name"].as_str().filter(|name| !name.is_empty());
                let version = version["Version"].as_str().unwrap_or("of an unknown version");
                Ok(format!("{} {version}, a private one", name.unwrap_or("Docker Engine")))
            }
            Self::Oci(oci) => {
                let version = oci.ask("GET", "/version", None)?;
                let runtime = version["runtime"].as_str().unwrap_or("a runtime");
                Ok(format!("orchestrator-oci with {runtime}, no daemon of somebody else"))
            }
        }
    }

    /// Loads an image; returns its name and size.
    pub(crate) fn load(&self, archive: &Path) -> Result<String> {
        let (name, size) = match self {
            Self::Docker(engine) => {
                engine.load_image(archive)?;
                let images = engine.api("GET", "/images/json", None)?.json()?;
                let image = images.get(0).context("the engine has no image")?;
                (image["RepoTags"][0].clone(), image["Size"].clone())
            }
            Self::Oci(oci) => {
                let loaded = oci.load_image(archive)?;
                let image = loaded.get(0).context("the archive holds no image")?;
                (image["names"][0].clone(), image["size"].clone())
            }
        };
        let name = name.as_str().unwrap_or("without a name");
        Ok(format!("{name}, {} MB", size.as_u64().unwrap_or(0) / 1_000_000))
    }

    /// All containers.
    pub(crate) fn containers(&self) -> Result<Vec<Shown>> {
        let listed = match self {
            Self::Docker(engine) => engine.containers()?,
            Self::Oci(oci) => {
                let listed = oci.ask("GET", "/v1/by-hand", None)?;
                listed.as_array().context("the helper lists no containers")?.clone()
            }
        };
        let shown = listed.iter().map(|container| {
            let (reference, status) = match self {
                Self::Docker(_) => (
                    &container["Id"],
                    container["Status"].as_str().unwrap_or_default().to_owned(),
                ),
                Self::Oci(_) => {
                    let state = container["state"].as_object().and_then(|state| state.keys().next());
                    (&container["container"]["reference"], state.cloned().unwrap_or_default())
                }
            };
            Shown {
                reference: reference.as_str().unwrap_or_default().to_owned(),
                status,
            }
        });
        Ok(shown.collect())
    }

    /// A command that lists the containers.
    pub(crate) fn list_command(&self) -> String {
        match self {
            Self::Docker(engine) => format!("docker --host {} ps", engine.url()),
            Self::Oci(oci) => format!("curl --unix-socket {} http://helper/v1/by-hand", oci.socket().display()),
        }
    }
}
