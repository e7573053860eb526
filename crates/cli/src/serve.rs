//! `orchestrator serve`: the daemon.

use std::process::ExitCode;
use std::time::Duration;

use super::check::SettingsFile;
use super::failure::Failure;
use super::{Serve, tracing};
use orchestrator_settings::{Elsewhere, Start};

/// How long threads for file access may take to end after the daemon has.
const LEFTOVERS: Duration = Duration::from_secs(1);

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsFile,
}

/// Runs the daemon to its end. Wrong settings end it before it touches anything.
pub(super) fn run(args: &Args, serve: Serve) -> Result<ExitCode, Failure> {
    let place = args.settings.place();
    let settings = place
        .load(&Elsewhere::Unknown)
        // Refused anyhow, they are refused with all that is wrong: also names that nobody may declare.
        .or_else(|_| place.load(&Elsewhere::NOTHING))?;
    let start = Start {
        set_log_level: tracing::for_daemon(settings.log),
        settings,
        place,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let outcome = runtime.block_on(serve(start));
    // All work that must be completed is. The rest may hang on a file system that does not answer.
    runtime.shutdown_timeout(LEFTOVERS);
    outcome.map_err(Failure::Daemon)?;
    Ok(ExitCode::SUCCESS)
}
