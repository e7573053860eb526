//! Runs containers by `runc` for the daemon, which may neither mount nor make namespaces.
//!
//! ```text
//!   daemon ── plugins/oci ── unix socket ──▶ orchestrator-oci serve ──▶ orchestrator-oci shim ──▶ runc
//!                                             (one, may restart)         (one a container)         (for a moment)
//! ```
//!
//! - `serve` is the helper: it knows which containers there are, and does what the plugin asks.
//! - `shim` holds one container: its output, its exit code, its mounts. Helper and daemon may come and go meanwhile.
//!
//! Both are one program, so that they are of one release.

mod bundle;
mod cgroup;
mod engine;
mod image;
mod log;
mod process;
mod ready;
mod root;
mod runc;
mod serve;
mod shim;
mod state;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Runs containers by runc, for the orchestrator.
#[derive(Debug, Parser)]
#[command(version)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the daemon on a unix socket.
    Serve(serve::ServeArguments),
    /// Hold one container; `serve` starts this.
    #[command(hide = true)]
    Shim(shim::ShimArguments),
}

fn main() -> ExitCode {
    match Line::parse().command {
        // Nothing but what it needs: there is one of it for each container.
        Command::Shim(arguments) => match shim::hold(arguments) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        },
        Command::Serve(arguments) => serve(arguments),
    }
}

fn serve(arguments: serve::ServeArguments) -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(serve::serve(arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("orchestrator-oci: {error}");
            ExitCode::FAILURE
        }
    }
}
