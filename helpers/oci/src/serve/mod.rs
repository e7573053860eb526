//! The helper's face: HTTP/1.1 on a unix socket. `orchestrator_plugin_oci::protocol` says what is asked and answered.

mod answer;
mod exec;
mod routes;
mod streams;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use orchestrator_images::{Limits, Store};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::engine::{CommandLimits, Helper};
use crate::shim::Common;
use crate::state::Place;

/// Arguments of `orchestrator-oci serve`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServeArguments {
    /// The unix socket to listen on. Only root may use it.
    #[arg(
        long,
        default_value = "/run/orchestrator-oci/helper.sock",
        env = "ORCHESTRATOR_OCI_SOCKET"
    )]
    socket: PathBuf,
    /// The directory of everything that is kept: containers, volumes, images.
    #[arg(long, default_value = "/var/lib/orchestrator-oci", env = "ORCHESTRATOR_OCI_STATE")]
    state: PathBuf,
    #[command(flatten)]
    commands: CommandLimits,
    #[command(flatten)]
    common: Common,
}

/// Serves until SIGTERM or SIGINT. Containers run on.
pub(crate) async fn serve(arguments: ServeArguments) -> io::Result<()> {
    let ServeArguments {
        socket,
        state,
        commands,
        common,
    } = arguments;
    let sockets = socket.parent().unwrap_or(Path::new("/")).to_owned();
    fs::create_dir_all(&sockets)?;
    let place = Place::open(&state)?;
    let images = Store::open(&place.images(), Limits::default()).map_err(io::Error::other)?;
    // Before it listens: whoever asks is answered by what is true. Its state is read by threads that may block.
    let helper = Helper::open(place, sockets, common, images, commands)?;
    let listener = listen(&socket)?;
    info!(socket = %socket.display(), cgroups = helper.cgroup_kind(), "the helper serves");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let (mut polite, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        served = axum::serve(listener, routes::routes(helper)) => served,
        _ = polite.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

/// Listens where only root may connect. A socket that a killed helper left is replaced; one that somebody serves is not.
fn listen(socket: &Path) -> io::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(socket).is_ok() {
        let message = format!(
            "another helper listens on {}; stop it, or choose another --socket",
            socket.display()
        );
        return Err(io::Error::new(io::ErrorKind::AddrInUse, message));
    }
    let new = socket.with_extension("new");
    let _ = fs::remove_file(&new);
    let listener = UnixListener::bind(&new)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
    fs::rename(&new, socket)?;
    Ok(listener)
}
