//! The engine of what is shown: Docker, or runc through the helper of this project.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Terminal;
use crate::{Engine, Lab, Namespace, Oci, oci_program};

/// What runs the containers.
pub enum ChosenEngine {
    /// A private Docker engine.
    Docker(Engine),
    /// The helper orchestrator-oci.
    Oci(Oci),
}

/// A container as its engine has it.
pub struct Shown {
    /// The engine's name for it.
    pub reference: String,
    /// What it does.
    pub status: String,
}

impl ChosenEngine {
    /// Starts the engine with this name, `docker` or `oci`. Without a name it is Docker, or runc where no Docker can run.
    ///
    /// # Errors
    ///
    /// When the name is another one, or the engine does not start.
    pub fn start(lab: &Lab, host: &Namespace, daemon: &Path, wanted: &str, terminal: &Terminal) -> Result<Self> {
        let begun = Instant::now();
        let engine = match wanted {
            "oci" => Self::oci(lab, daemon)?,
            "docker" => Self::Docker(Engine::start(host).context("cannot start a Docker engine")?),
            "" => match Engine::start(host) {
                Ok(engine) => Self::Docker(engine),
                Err(fault) => {
                    terminal.say(&format!("  no Docker runs here ({fault}): runc takes its place"));
                    Self::oci(lab, daemon)?
                }
            },
            other => bail!("the engine is docker or oci, and not {other:?}"),
        };
        terminal.made("engine", &engine.version()?, begun.elapsed());
        Ok(engine)
    }

    fn oci(lab: &Lab, daemon: &Path) -> Result<Self> {
        let program = oci_program(daemon)?;
        Ok(Self::Oci(Oci::start(lab, &program).context("cannot start the helper")?))
    }

    /// Its name in the settings of the daemon.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Docker(_) => "docker",
            Self::Oci(_) => "oci",
        }
    }

    /// Its section of the settings of the daemon.
    pub fn section(&self) -> String {
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
    ///
    /// # Errors
    ///
    /// When the engine refuses it.
    pub fn load(&self, archive: &Path) -> Result<String> {
        let (name, size) = match self {
            Self::Docker(engine) => {
                let images = || engine.api("GET", "/images/json", None)?.json();
                let before = images()?;
                engine.load_image(archive)?;
                let after = images()?;
                let is_new = |image: &&Value| before.as_array().is_none_or(|before| !before.contains(image));
                let image = after.as_array().into_iter().flatten().find(is_new);
                let image = image.context("the engine has no new image")?;
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
    ///
    /// # Errors
    ///
    /// When the engine does not list them.
    pub fn containers(&self) -> Result<Vec<Shown>> {
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
    pub fn list_command(&self) -> String {
        match self {
            Self::Docker(engine) => format!("docker --host {} ps", engine.url()),
            Self::Oci(oci) => format!("curl --unix-socket {} http://helper/v1/by-hand", oci.socket().display()),
        }
    }
}
