//! The configuration of an image: its command, and its layers.

use std::collections::BTreeMap;

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::{Digest, ImageError, Limits};

/// The configuration of an image (OCI image specification, "Image Configuration").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// The first arguments of the command.
    pub entrypoint: Vec<String>,
    /// The arguments after them. A template may replace these.
    pub command: Vec<String>,
    /// Environment variables, as `NAME=value`.
    pub environment: Vec<String>,
    /// The working directory of the first process; empty means `/`.
    pub directory: String,
    /// The user of the first process: `name`, `uid`, `name:group` or `uid:gid`; empty means root.
    pub user: String,
    /// The signal that asks the first process to end; empty means `SIGTERM`.
    pub stop_signal: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Paths for data.
    pub volumes: Vec<String>,
    /// Whether it has a health check. It is not run.
    pub has_health_check: bool,
    /// When it was built, according to the image itself.
    pub created: Option<OffsetDateTime>,
    /// The architecture, with Go's name: `amd64`, `arm64`.
    pub architecture: String,
    /// The digest of each uncompressed layer, the lowest first.
    pub layers: Vec<Digest>,
}

#[derive(Deserialize)]
struct Written {
    created: Option<String>,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    config: Option<WrittenConfig>,
    rootfs: WrittenLayers,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenConfig {
    user: Option<String>,
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    volumes: Option<BTreeMap<String, serde_json::Value>>,
    working_dir: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    stop_signal: Option<String>,
    healthcheck: Option<WrittenCheck>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenCheck {
    test: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct WrittenLayers {
    #[serde(default)]
    diff_ids: Vec<Digest>,
}

impl ImageConfig {
    /// Parses a configuration.
    ///
    /// # Errors
    ///
    /// [`ImageError::Refused`] when it is not a configuration, is not for Linux, or has too many layers.
    pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Self, ImageError> {
        let written: Written = serde_json::from_slice(bytes)
            .map_err(|error| ImageError::refused(format!("its configuration cannot be read: {error}")))?;
        if !matches!(written.os.as_str(), "" | "linux") {
            let reason = format!("it is for {:?}, and containers here run Linux", written.os);
            return Err(ImageError::refused(reason));
        }
        let layers = written.rootfs.diff_ids;
        if layers.len() > limits.layers {
            let reason = format!("it has {} layers, and {} are allowed", layers.len(), limits.layers);
            return Err(ImageError::refused(reason));
        }
        let config = written.config.unwrap_or_default();
        let test = config.healthcheck.and_then(|check| check.test).unwrap_or_default();
        Ok(Self {
            entrypoint: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
            environment: config.env.unwrap_or_default(),
            directory: config.working_dir.unwrap_or_default(),
            user: config.user.unwrap_or_default(),
            stop_signal: config.stop_signal.unwrap_or_default(),
            labels: config.labels.unwrap_or_default(),
            volumes: config.volumes.unwrap_or_default().into_keys().collect(),
            has_health_check: test.first().is_some_and(|word| word != "NONE"),
            created: written
                .created
                .and_then(|text| OffsetDateTime::parse(&text, &Rfc3339).ok()),
            architecture: written.architecture,
            layers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_and_what_is_missing_is_empty() {
        let digest = Digest::of(b"layer");
        let text = format!(
            r#"{{"created":"2024-01-02T03:04:05Z","architecture":"amd64","os":"linux",
                "config":{{"User":"7:8","Env":["A=b"],"Entrypoint":null,"Cmd":["run"],"WorkingDir":"/srv",
                           "Healthcheck":{{"Test":["CMD","true"]}},"Volumes":{{"/data":{{}}}}}},
                "rootfs":{{"type":"layers","diff_ids":["{digest}"]}}}}"#
        );
        let config = ImageConfig::read(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!((config.command, config.layers), (vec!["run".to_owned()], vec![digest]));
        assert_eq!((config.user.as_str(), config.directory.as_str()), ("7:8", "/srv"));
        assert!(config.has_health_check && config.entrypoint.is_empty());
        assert_eq!(config.volumes, ["/data"]);
        assert_eq!(config.created.unwrap().unix_timestamp(), 1_704_164_645);
        ImageConfig::read(br#"{"rootfs":{}}"#, &Limits::default()).unwrap();
    }

    #[test]
    fn what_cannot_run_here_is_refused() {
        let limits = Limits {
            layers: 1,
            ..Limits::default()
        };
        let digest = Digest::of(b"");
        let many = format!(r#"{{"rootfs":{{"diff_ids":["{digest}","{digest}"]}}}}"#);
        for text in [
            "",
            "[]",
            "{}",
            r#"{"os":"windows","rootfs":{}}"#,
            r#"{"rootfs":{"diff_ids":["../x"]}}"#,
            &many,
        ] {
            let fault = ImageConfig::read(text.as_bytes(), &limits).unwrap_err();
            assert!(matches!(fault, ImageError::Refused { .. }), "{text}: {fault}");
        }
    }
}
