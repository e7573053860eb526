//! What there is to try while it is kept up.

use std::env;

use orchestrator_lab::show::Terminal;

use crate::guest::Guest;
use crate::stage::Stage;

/// Tells how to look around, with commands that work as they stand.
pub(crate) fn invite(stage: &Stage, guests: &[&Guest], terminal: &Terminal) {
    terminal.title("It stays up until Ctrl-C. In another terminal, as root:");
    let binary = env::args().nth(1).unwrap_or_default();
    let binary = std::fs::canonicalize(&binary).map_or(binary, |path| path.display().to_string());
    let cli = format!("{binary} --api unix:{}", stage.daemon.socket().display());
    terminal.command(
        "the instances, and what happens to them",
        &format!("{cli} ls\n    {cli} events -f"),
    );
    if let Some(guest) = guests.first() {
        let name = guest.namespace.name();
        terminal.command("a shell on a client", &format!("ip netns exec {name} bash"));
        let page = format!("'http://[{}]/'", guest.instance("address"));
        terminal.command("its page", &format!("ip netns exec {name} curl {page}"));
        terminal.command(
            "end its instance; the client gets a new one with its next lease",
            &format!("{cli} rm {}", guest.instance("id")),
        );
    }
    terminal.command("the containers, as the engine has them", &stage.engine.list_command());
    terminal.command(
        "the daemon's settings, state and log",
        &format!("ls {}", stage.daemon.place().display()),
    );
}
