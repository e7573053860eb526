//! `orchestrator check`: finds faults of the settings, things that they name but that do not exist, and faults of this
//! machine and its links that would keep clients from their service.

mod declared;
mod forwarding;
mod isolation;
mod names;
mod neighbors;
mod routes;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use orchestrator_catalog::Declared;
use orchestrator_model::{ImagePin, Pause, PauseScope};
use orchestrator_network::Network;
use serde::Serialize;

use super::failure::Failure;
use super::{Output, probe, table, wait_for};
use orchestrator_settings::{Elsewhere, Place, Settings};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsFile,
}

/// The path of the settings file.
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
    /// Loads the settings from the file and the environment. Templates that they name may be declared through the API.
    pub(super) fn load(&self) -> Result<Settings, Failure> {
        // Refused anyhow, they are refused with all that is wrong: also names that nobody may declare.
        self.load_beside(&Elsewhere::Unknown)
            .or_else(|_| self.load_beside(&Elsewhere::NOTHING))
    }

    /// Loads the settings, which may name things that are declared elsewhere.
    pub(super) fn load_beside(&self, elsewhere: &Elsewhere) -> Result<Settings, Failure> {
        Ok(self.place().load(elsewhere)?)
    }

    /// The file and the environment.
    pub(super) fn place(&self) -> Place {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value)));
        Place::new(self.path.clone(), variables)
    }
}

/// Something that the daemon needs, and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The name of the thing.
    pub(super) name: String,
    /// Whether it is there and as it should be.
    pub(super) ok: bool,
    /// A description of what was found. For a fault: what is missing or wrong, and what to do.
    pub(super) detail: String,
    /// The state in one word, for people.
    #[serde(skip)]
    state: &'static str,
}

impl Finding {
    pub(super) fn there(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ok: true,
            detail: detail.into(),
            state: "there",
        }
    }

    /// An operator has paused it, which is no fault.
    pub(super) fn paused(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            state: "paused",
            ..Self::there(name, detail)
        }
    }

    /// It exists, but is not as it should be.
    pub(super) fn wrong(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            state: "wrong",
            ..Self::missing(name, detail)
        }
    }

    pub(super) fn missing(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ok: false,
            detail: detail.into(),
            state: "missing",
        }
    }
}

/// Wrong settings fail with all their faults. If something is missing, this fails with a list of everything.
pub(super) fn run(args: &Args, output: Output) -> Result<ExitCode, Failure> {
    let settings = args.settings.load()?;
    let url = settings.store.url.as_str();
    let (recorded, pins) = wait_for(async { Ok((declared::look(url).await, declared::pins(url).await)) })?;
    // The settings are checked again with the templates of the API: a name that is declared nowhere is a fault.
    let settings = args.settings.load_beside(&declared::elsewhere(&recorded))?;
    let declared = Declared::new(Arc::new(settings), recorded.unwrap_or_default());
    let mut findings = vec![Finding::there("settings", args.settings.path.display().to_string())];
    findings.extend(wait_for(async { Ok(all(&declared, &pins).await) })?);
    findings.extend(wait_for(async { Ok(declared::pauses(url).await) })?.iter().map(paused));
    match output {
        Output::Json | Output::Yaml | Output::Name => table::print(&table::data(output, &findings)?)?,
        Output::Table | Output::Wide => table::print(&render(&findings))?,
    }
    let count = |state: &str| findings.iter().filter(|finding| finding.state == state).count();
    match (count("missing"), count("wrong")) {
        (0, 0) => Ok(ExitCode::SUCCESS),
        (0, wrong) => Err(Failure::Wrong { wrong }),
        (missing, _) => Err(Failure::Missing { missing }),
    }
}

/// What an operator has paused: nothing new is made there.
fn paused(pause: &Pause) -> Finding {
    let how = match &pause.scope {
        PauseScope::All => "orchestrator resume".to_owned(),
        PauseScope::Link(link) => format!("orchestrator resume --link {link}"),
        PauseScope::Template(template) => format!("orchestrator resume --template {template}"),
    };
    let by = pause.by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    let detail = format!("since {}{by}: nothing new is made; {how} ends it", pause.since);
    Finding::paused(pause.scope.to_string(), detail)
}

/// All findings: those on what the settings name come first, then those on the machine and its links.
async fn all(declared: &Declared, pins: &[ImagePin]) -> Vec<Finding> {
    let settings = declared.settings();
    let mut findings = probe::all(declared, pins).await;
    let missing = declared.missing().into_iter();
    findings.extend(missing.map(|missing| Finding::missing(missing.name, missing.reason)));
    let network = match Network::open() {
        Ok(network) => network,
        // The findings of the links report this.
        Err(_) => return findings,
    };
    findings.extend(forwarding::check(settings, network.forwards()));
    findings.extend(names::check(settings));
    findings.extend(isolation::check(declared, &network).await);
    let seen = declared::others(settings.store.url.as_str()).await;
    findings.extend(neighbors::check(settings, &network, &seen).await);
    findings.extend(routes::check(settings, &network).await);
    findings
}

pub(super) fn render(findings: &[Finding]) -> String {
    let row = |finding: &Finding| vec![finding.name.clone(), finding.state.to_owned(), finding.detail.clone()];
    table::table(&["WHAT", "IS", "DETAIL"], findings.iter().map(row))
}
