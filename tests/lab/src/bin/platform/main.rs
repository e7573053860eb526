//! A platform in a box, before your eyes: a balancer, names, two web applications, and a new version under load.
//!
//! ```text
//! platform ORCHESTRATOR BALANCER APPLICATION-1 APPLICATION-2     the daemon's binary, and archives of the images
//! ```
//!
//! Everything is real and in a lab of its own. `ENGINE` is `docker` or `oci`. With `KEEP` set it stays up until Ctrl-C.
//! Nothing is left behind, however it ends.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use orchestrator_lab::Lab;
use orchestrator_lab::platform::{self, Given};
use orchestrator_lab::show::{Terminal, signals};

fn main() -> ExitCode {
    let terminal = Terminal::open("platform");
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
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [daemon, balancer, first, second] = arguments.as_slice() else {
        bail!("usage: platform ORCHESTRATOR BALANCER APPLICATION-1 APPLICATION-2; `make platform` builds all four");
    };
    let daemon = daemon
        .canonicalize()
        .with_context(|| format!("no daemon at {}", daemon.display()))?;
    for image in [balancer, first, second] {
        ensure!(image.exists(), "no image at {}", image.display());
    }
    let given = Given {
        daemon,
        balancer: balancer.clone(),
        applications: [first.clone(), second.clone()],
        services: env::current_dir()?.join("examples/services"),
        engine: env::var("ENGINE").unwrap_or_default(),
    };
    terminal.title("orchestrator: a platform in a box");
    terminal.say("All of it happens in network namespaces of its own. Nothing on this machine is changed.");
    let lab = Lab::new()?;
    signals::remove_on_interrupt(lab.clone())?;
    let shown = show(&lab, &given, terminal);
    signals::wait_if_interrupted();
    lab.remove()?;
    shown?;
    terminal.title("Everything is removed again: namespaces, containers, engine and daemon.");
    Ok(())
}

fn show(lab: &Lab, given: &Given, terminal: &Terminal) -> Result<()> {
    let platform = platform::run(lab, given, terminal)?;
    if env::var_os("KEEP").is_some_and(|keep| !keep.is_empty() && keep != "0") {
        platform.invite(terminal);
        signals::keep_until_interrupt();
    }
    platform.check()
}
