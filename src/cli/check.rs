//! `orchestrator check`: what is wrong with the settings, and what they name that is not there yet.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::failure::Failure;
use super::{Output, probe, table, wait_for};
use crate::settings::{Place, Settings};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsFile,
}

/// Where the settings are.
#[derive(Debug, clap::Args)]
pub(super) struct SettingsFile {
    /// The settings file
    #[arg(
        long = "settings",
        value_name = "FILE",
        env = "ORCHESTRATOR_SETTINGS",
        default_value = "/etc/orchestrator/settings.toml"
    )]
    path: PathBuf,
}

impl SettingsFile {
    /// The settings from the file and the environment.
    pub(super) fn load(&self) -> Result<Settings, Failure> {
        Ok(self.place().load()?)
    }

    /// The file and the environment.
    pub(super) fn place(&self) -> Place {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value)));
        Place::new(self.path.clone(), variables)
    }
}

/// Something the daemon needs, and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What is needed.
    pub(super) name: String,
    /// Whether it is there.
    pub(super) ok: bool,
    /// What was found; what is missing and what to do.
    pub(super) detail: String,
}

impl Finding {
    pub(super) fn there(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ok: true,
            detail: detail.into(),
        }
    }

    pub(super) fn missing(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ok: false,
            detail: detail.into(),
        }
    }
}

/// Wrong settings fail with all their faults; what is not there yet fails with a list of everything.
pub(super) fn run(args: &Args, output: Output) -> Result<ExitCode, Failure> {
    let settings = args.settings.load()?;
    let mut findings = vec![Finding::there("settings", args.settings.path.display().to_string())];
    findings.extend(wait_for(async { Ok(probe::all(&settings).await) })?);
    match output {
        Output::Json => table::print(&table::json(&findings)?)?,
        Output::Table | Output::Wide => table::print(&render(&findings))?,
    }
    match findings.iter().filter(|finding| !finding.ok).count() {
        0 => Ok(ExitCode::SUCCESS),
        missing => Err(Failure::Missing { missing }),
    }
}

pub(super) fn render(findings: &[Finding]) -> String {
    let row = |finding: &Finding| {
        let state = if finding.ok { "there" } else { "missing" };
        vec![finding.name.clone(), state.to_owned(), finding.detail.clone()]
    };
    table::table(&["WHAT", "IS", "DETAIL"], findings.iter().map(row))
}
