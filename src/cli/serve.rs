//! `orchestrator serve`: the daemon.

use std::process::ExitCode;

use super::check::SettingsFile;
use super::failure::Failure;
use super::tracing;
use crate::serve::{self, Start};

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsFile,
}

/// Runs the daemon to its end. Wrong settings end it before anything is touched.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let place = args.settings.place();
    let settings = place.load()?;
    let start = Start {
        set_log_level: tracing::for_daemon(settings.log),
        settings,
        place,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    runtime.block_on(serve::run(start))?;
    Ok(ExitCode::SUCCESS)
}
