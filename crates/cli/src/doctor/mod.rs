//! `orchestrator doctor`: examines the running system, says what is wrong, what it means and what mends it, and mends
//! what is safe.
//!
//! The daemon examines its host. If none answers, this program examines what it can see by itself.

mod alone;
mod render;

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use orchestrator_api_types::{Doctor, Severity};
use orchestrator_model::parse_lifespan;

use super::check::SettingsFile;
use super::failure::Failure;
use super::http::{CallError, Client};
use super::{Output, table};

/// How long the daemon may take. It bounds each part of an examination by itself, and mending examines twice.
const LIMIT: Duration = Duration::from_secs(60);

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsFile,
    /// Do what is safe, say each thing that was done, and examine everything again
    #[arg(long)]
    fix: bool,
    /// Say what was seen where nothing is wrong, too
    #[arg(short, long)]
    verbose: bool,
    /// How long the daemon may take to examine or to mend, like 30s or 5m
    #[arg(short, long, value_name = "TIMEOUT", value_parser = parse_lifespan)]
    timeout: Option<Duration>,
}

/// Examines the system. Ends with 1 if an error is found, or is left after `--fix`.
pub(super) async fn run(args: &Args, output: Output, api: Client) -> Result<ExitCode, Failure> {
    let doctor = examine(args, &api.with_limit(args.timeout.unwrap_or(LIMIT))).await?;
    match output {
        Output::Json | Output::Yaml | Output::Name => table::print(&table::data(output, &doctor)?)?,
        Output::Table | Output::Wide => table::print(&render::render(&doctor, args.verbose, args.fix))?,
    }
    let is_wrong = doctor
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    let has_failed = doctor.done.iter().any(|mended| mended.failed.is_some());
    Ok(match is_wrong || has_failed {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

async fn examine(args: &Args, api: &Client) -> Result<Doctor, Failure> {
    let answer = match args.fix {
        true => api.post("/v1/doctor/fix", Vec::new()).await,
        false => api.get("/v1/doctor").await,
    };
    match answer {
        Ok(body) => read(&body),
        // Nobody listens: that is what this verb is for.
        Err(fault @ CallError::Connect { .. }) => {
            let reason = orchestrator_runtime::causes::with_causes(&fault);
            Ok(alone::examine(&args.settings, reason, args.fix).await)
        }
        Err(CallError::Timeout { limit, .. }) if args.timeout.is_some() => {
            Err(Failure::Verb(orchestrator_verbs::Failure::TimedOut { limit }))
        }
        Err(fault) => Err(Failure::Verb(orchestrator_verbs::CallError::from(fault).into())),
    }
}

fn read(body: &Bytes) -> Result<Doctor, Failure> {
    serde_json::from_slice(body).map_err(|source| {
        Failure::Verb(orchestrator_verbs::Failure::Answer {
            what: "what the doctor found",
            source,
        })
    })
}

#[cfg(test)]
mod tests;
