//! The demo: clients boot, and each reaches a container of its own, before your eyes.
//!
//! ```text
//! demo ORCHESTRATOR IMAGE     the daemon's binary, and an archive of the image orchestrator/client
//! ```
//!
//! Everything is real and in a lab of its own: the engine, the daemon, the clients (dhclient) and the wire between them.
//! What is printed was seen to happen; times are counted from a client's first Solicit on its wire. With `KEEP` set it
//! stays up until Ctrl-C. Nothing is left behind, however it ends.

mod guest;
mod look_around;
mod sightings;
mod stage;
mod timeline;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use orchestrator_lab::show::{Terminal, signals};
use orchestrator_lab::{Lab, tail};

use crate::guest::Guest;
use crate::stage::Stage;

fn main() -> ExitCode {
    let terminal = Terminal::open("demo");
    match run(&terminal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            signals::wait_if_interrupted();
            terminal.failure(&fault);
            ExitCode::FAILURE
        }
    }
}

fn run(terminal: &Terminal) -> Result<()> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let (Some(binary), Some(image)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: demo ORCHESTRATOR IMAGE; `make demo` builds both");
    };
    let binary = binary
        .canonicalize()
        .with_context(|| format!("no daemon at {}", binary.display()))?;
    ensure!(image.exists(), "no image at {}", image.display());

    terminal.title("orchestrator: a container for every client, by nothing but its lease");
    terminal.say("All of it happens in network namespaces of its own. Nothing on this machine is changed.");
    let lab = Lab::new()?;
    signals::remove_on_interrupt(lab.clone())?;
    let shown = show(&lab, &binary, &image, terminal);
    signals::wait_if_interrupted();
    lab.remove()?;
    shown?;
    terminal.title("Everything is removed again: namespaces, containers, engine and daemon.");
    Ok(())
}

/// Sets the stage and plays; shows the daemon's log when that fails.
fn show(lab: &Lab, binary: &Path, image: &Path, terminal: &Terminal) -> Result<()> {
    let mut stage = Stage::set(lab, binary, image, terminal)?;
    let played = play(&mut stage, terminal);
    if played.is_err() {
        signals::wait_if_interrupted();
        terminal.log("the end of the daemon's log", &tail(&stage.daemon.log(), 15));
    }
    played
}

/// What there is to see.
fn play(stage: &mut Stage, terminal: &Terminal) -> Result<()> {
    terminal.title("A client boots on the bridge");
    let mut first = Guest::boot(stage, "alice", terminal)?;
    terminal.title("A second client boots");
    let second = Guest::boot(stage, "bob", terminal)?;
    guest::compare(stage, &first, &second, terminal)?;
    if env::var_os("KEEP").is_some_and(|keep| !keep.is_empty() && keep != "0") {
        look_around::invite(stage, &[&first, &second], terminal);
        signals::keep_until_interrupt();
    }
    terminal.title("The first client leaves");
    first.leave(stage, terminal)
}
