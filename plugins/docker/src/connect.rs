//! The connection to an engine's unix socket, with a time limit for every call.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bollard::models::{ImageInspect, SystemInfo, SystemVersion};
use bollard::{API_DEFAULT_VERSION, Docker};
use orchestrator_plugin::{EngineError, EngineFacts, ImageFacts};

use crate::dialect::Dialect;
use crate::errors::{ApiError, NOT_FOUND, explain, status};

/// The oldest API that has everything this plugin uses: that of Docker 20.10, which Podman has, too.
///
/// No request names a version, so that an engine takes each in its newest one. An engine that refuses old versions
/// (Docker 29 those before 1.44) has nothing to refuse.
const OLDEST_API: (u32, u32) = (1, 41);

/// The client's limit for calls about images: a day, because it cannot be disabled.
const PATIENT_SECONDS: u64 = 24 * 60 * 60;

/// The address of an engine: the path of a unix socket.
///
/// Written as in `DOCKER_HOST` (`unix:///run/docker.sock`), or as the plain path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(String);

/// The text does not name a unix socket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the address of an engine: name its unix socket, like unix:///run/docker.sock")]
pub struct HostError(pub String);

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let path = text.strip_prefix("unix://").unwrap_or(text);
        if !path.starts_with('/') {
            return Err(HostError(text.to_owned()));
        }
        Ok(Self(path.to_owned()))
    }
}

impl Host {
    /// The default address of an engine.
    pub fn of(dialect: Dialect) -> Self {
        Self(dialect.socket().to_owned())
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::of(Dialect::default())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix://{}", self.0)
    }
}

/// One engine, asked one call at a time, each within the limit.
#[derive(Debug)]
pub(crate) struct Connection {
    dialect: Dialect,
    host: Host,
    timeout: Duration,
}

impl Connection {
    pub(crate) fn new(dialect: Dialect, host: Host, timeout: Duration) -> Self {
        Self { dialect, host, timeout }
    }

    /// The expected kind of engine.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The limit for one call.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The unix socket.
    pub(crate) fn socket(&self) -> &Path {
        Path::new(&self.host.0)
    }

    /// A client of the engine.
    ///
    /// It keeps no connection open, so that there is nothing in it that an engine's restart could make stale.
    ///
    /// # Errors
    ///
    /// When the socket is not there.
    pub(crate) fn connect(&self) -> Result<Docker, ApiError> {
        // The client's own limit ends with the answer's headers: ours, around it, must be the first to strike.
        let seconds = self.timeout.as_secs().saturating_add(1);
        Docker::connect_with_unix(&self.host.0, seconds, API_DEFAULT_VERSION)
    }

    /// A client for calls that may take long before the engine begins to answer, such as those about images.
    ///
    /// # Errors
    ///
    /// When the socket is not there.
    pub(crate) fn connect_patiently(&self) -> Result<Docker, ApiError> {
        Docker::connect_with_unix(&self.host.0, PATIENT_SECONDS, API_DEFAULT_VERSION)
    }

    /// Makes one call within the limit, body included.
    ///
    /// # Errors
    ///
    /// The error of the call, or [`ApiError::RequestTimeoutError`].
    pub(crate) async fn ask<T, F>(&self, call: impl FnOnce(Docker) -> F) -> Result<T, ApiError>
    where
        F: Future<Output = Result<T, ApiError>>,
    {
        let docker = self.connect()?;
        match tokio::time::timeout(self.timeout, call(docker)).await {
            Ok(answer) => answer,
            Err(_) => Err(ApiError::RequestTimeoutError),
        }
    }

    /// Converts an error of `verb` on `subject`.
    pub(crate) fn explain(&self, verb: &'static str, subject: &str, error: ApiError) -> EngineError {
        explain(&self.host, self.timeout, verb, subject, error)
    }

    /// Reads the engine's name and version, and checks that it is new enough and of the kind that the settings say.
    pub(crate) async fn check(&self) -> Result<EngineFacts, EngineError> {
        let version = self.ask(|docker| async move { docker.version().await }).await;
        let version = version.map_err(|error| self.explain("describe", "itself", error))?;
        let api = version.api_version.as_deref().unwrap_or_default();
        let refused = |reason: String| EngineError::Refused {
            verb: "serve",
            subject: self.host.to_string(),
            reason,
        };
        if !is_new_enough(api) {
            let ((major, minor), remedy) = (OLDEST_API, self.dialect.remedy());
            let reason = format!("it speaks API {api:?} and {major}.{minor} is needed; {remedy}");
            return Err(refused(reason));
        }
        let facts = facts(version);
        let (found, expected) = (Dialect::of(&facts.name), self.dialect);
        if found != expected {
            let (name, kind, wrong) = (&facts.name, found.kind(), expected.kind());
            let reason = format!("it is {name}; set kind = {kind:?} for this engine in place of {wrong:?}");
            return Err(refused(reason));
        }
        Ok(facts)
    }

    /// Checks that the engine answers. Podman's description of itself costs it a third of a second of processor time,
    /// because it asks the package manager whose its programs are.
    pub(crate) async fn ping(&self) -> Result<(), EngineError> {
        let answered = self.ask(|docker| async move { docker.ping().await }).await;
        answered
            .map(drop)
            .map_err(|error| self.explain("answer", "a ping", error))
    }

    /// Checks that the engine has what containers need besides images.
    pub(crate) async fn check_equipment(&self) -> Result<(), EngineError> {
        let info = self.ask(|docker| async move { docker.info().await }).await;
        let info = info.map_err(|error| self.explain("describe", "itself", error))?;
        check_init(&info).map_err(|reason| EngineError::Refused {
            verb: "start containers",
            subject: self.host.to_string(),
            reason,
        })
    }

    /// The directory in which the engine keeps images and containers.
    pub(crate) async fn data_directory(&self) -> Result<Option<PathBuf>, EngineError> {
        let info = self.ask(|docker| async move { docker.info().await }).await;
        let info = info.map_err(|error| self.explain("describe", "itself", error))?;
        Ok(info
            .docker_root_dir
            .filter(|path| path.starts_with('/'))
            .map(PathBuf::from))
    }

    /// Checks that `image` can be started.
    pub(crate) async fn check_image(&self, image: &str) -> Result<ImageFacts, EngineError> {
        match self
            .ask(|docker| async move { docker.inspect_image(image).await })
            .await
        {
            Ok(found) => image_facts(image, found),
            Err(error) if status(&error) == Some(NOT_FOUND) => Err(EngineError::ImageMissing {
                image: image.to_owned(),
            }),
            Err(error) => Err(self.explain("inspect image", image, error)),
        }
    }
}

/// The facts in the engine's description of an image.
fn image_facts(name: &str, image: ImageInspect) -> Result<ImageFacts, EngineError> {
    let id = image
        .id
        .filter(|id| !id.is_empty())
        .ok_or_else(|| EngineError::Failed {
            verb: "inspect image",
            subject: name.to_owned(),
            reason: "the engine tells no id for it".to_owned(),
        })?;
    let test = image
        .config
        .and_then(|config| config.healthcheck)
        .and_then(|check| check.test);
    let switched_off = |test: &[String]| test.is_empty() || test.first().is_some_and(|word| word == "NONE");
    Ok(ImageFacts {
        id,
        has_health_check: test.is_some_and(|test| !switched_off(&test)),
    })
}

/// Checks that the engine has the init program that is every container's first process.
///
/// Docker reports the version "N/A" if it finds none. Podman reports nothing about it.
fn check_init(info: &SystemInfo) -> Result<(), String> {
    let version = info.init_commit.as_ref().and_then(|commit| commit.id.as_deref());
    if version != Some("N/A") {
        return Ok(());
    }
    let program = info.init_binary.as_deref().filter(|program| !program.is_empty());
    Err(format!(
        "it has no {}, which is to be the first process of every container; install it (Debian: apt-get install tini) \
         and restart the engine",
        program.unwrap_or("docker-init")
    ))
}

fn is_new_enough(api: &str) -> bool {
    let parsed = api
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parsed.is_some_and(|version: (u32, u32)| version >= OLDEST_API)
}

/// Docker names itself only in its first component, and there only "Engine".
fn facts(version: SystemVersion) -> EngineFacts {
    let component = version
        .components
        .into_iter()
        .flatten()
        .next()
        .map(|component| component.name);
    let name = match component.as_deref() {
        None | Some("" | "Engine") => "Docker Engine".to_owned(),
        Some(name) => name.to_owned(),
    };
    EngineFacts {
        name,
        version: version.version.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{Commit, HealthConfig, ImageConfig};

    use super::*;

    #[test]
    fn a_host_is_a_socket_with_or_without_scheme() {
        for text in ["unix:///run/docker.sock", "/run/docker.sock"] {
            let host: Host = text.parse().unwrap();
            assert_eq!(host, Host::default());
            assert_eq!(host.to_string(), "unix:///run/docker.sock");
        }
    }

    #[test]
    fn what_is_no_socket_is_refused() {
        for text in ["", "tcp://[::1]:2375", "ssh://host", "unix://", "docker.sock"] {
            assert_eq!(text.parse::<Host>(), Err(HostError(text.to_owned())));
        }
    }

    #[test]
    fn a_missing_init_program_is_told_with_what_to_install() {
        let info = |version: Option<&str>| SystemInfo {
            init_binary: Some("docker-init".to_owned()),
            init_commit: version.map(|version| Commit {
                id: Some(version.to_owned()),
            }),
            ..SystemInfo::default()
        };
        assert_eq!(check_init(&info(Some("de40ad0"))), Ok(()));
        assert_eq!(
            check_init(&info(Some(""))),
            Ok(()),
            "a version that cannot be read is not a missing program"
        );
        assert_eq!(check_init(&info(None)), Ok(()));
        let missing = check_init(&info(Some("N/A"))).unwrap_err();
        assert!(
            missing.contains("docker-init") && missing.contains("apt-get install tini"),
            "{missing}"
        );
    }

    #[test]
    fn a_health_check_of_the_image_is_seen() {
        let facts = |test: Option<&[&str]>| {
            let check = test.map(|test| HealthConfig {
                test: Some(test.iter().map(|word| (*word).to_owned()).collect()),
                ..HealthConfig::default()
            });
            let config = ImageConfig {
                healthcheck: check,
                ..ImageConfig::default()
            };
            let image = ImageInspect {
                id: Some("sha256:0a1b".to_owned()),
                config: Some(config),
                ..ImageInspect::default()
            };
            image_facts("image", image).unwrap()
        };
        assert!(facts(Some(&["CMD", "curl", "-f", "http://localhost"])).has_health_check);
        for none in [None, Some(&[][..]), Some(&["NONE"][..])] {
            assert!(!facts(none).has_health_check, "{none:?}");
        }
        assert_eq!(facts(None).id, "sha256:0a1b");
        image_facts("image", ImageInspect::default()).unwrap_err();
    }

    #[test]
    fn versions_compare_as_numbers() {
        for (api, verdict) in [
            ("1.41", true),
            ("1.50", true),
            ("2.0", true),
            ("1.9", false),
            ("1.40", false),
            ("", false),
        ] {
            assert_eq!(is_new_enough(api), verdict, "{api}");
        }
    }
}
