//! Makes and removes network namespaces for the daemon.
//!
//! Engines that start a container in a namespace that was made before need a path to it that lasts, and only a mount is
//! that. The daemon's unit forbids mounts, and whatever a unit with mounts of its own mounts is seen by nobody else. So
//! this program does nothing but that, in a unit of its own, which shares the machine's mounts:
//!
//! ```text
//!   daemon ──▶ DIRECTORY/socket ──▶ orchestrator-netns ──▶ mount on DIRECTORY/SITE/INSTANCE
//!                                                            ▲            ▲
//!                                       the daemon wires it ─┘            └─ the engine starts a container in it
//! ```
//!
//! - Only root may connect, and a request names two ids and no path: nothing else can be mounted, and nowhere else.
//! - It keeps nothing in memory. Namespaces outlive it, the daemon, and the containers in them.
//! - A request may be repeated: what is there is not made again, and what is gone is removed.
//! - A container is started in each soon afterwards: the helper waits for the kernel in its runtime's place meanwhile.

mod namespace;
mod request;
mod socket;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::{io, thread};

use orchestrator_ahead::Ahead;
use sd_notify::NotifyState;

use crate::namespace::Rooms;

/// Where namespaces are, unless the first argument says otherwise.
const DIRECTORY: &str = "/run/orchestrator-netns";
/// Connections at the same time. Those beyond it are closed.
const AT_ONCE: usize = 32;

fn main() -> ExitCode {
    let directory = std::env::args_os().nth(1);
    let directory = directory.map_or_else(|| PathBuf::from(DIRECTORY), PathBuf::from);
    match serve(&directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("cannot serve network namespaces in {}: {fault}", directory.display());
            ExitCode::FAILURE
        }
    }
}

/// Answers requests until it is killed.
fn serve(directory: &Path) -> io::Result<()> {
    namespace::prepare(directory)?;
    let listener = socket::listen(&directory.join("socket"))?;
    // Without systemd nobody waits for it.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let rooms = Arc::new(Rooms {
        directory: directory.to_owned(),
        ahead: Ahead::new(),
    });
    loop {
        let (stream, _) = listener.accept()?;
        // Each connection has one, and this function another.
        if Arc::strong_count(&rooms) > AT_ONCE {
            continue;
        }
        let rooms = rooms.clone();
        // A thread of its own, because it leaves its network namespace.
        thread::Builder::new().spawn(move || socket::answer(stream, &rooms))?;
    }
}
