//! Asks whether everything is to be removed.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use orchestrator_host::MarkedThing;

use super::counted;
use crate::failure::Failure;

/// The longest answer that is read, in bytes.
const LONGEST: u64 = 64;

/// Returns once somebody at the terminal has said yes.
pub(super) fn confirm(things: &[MarkedThing]) -> Result<(), Failure> {
    let refused = |reason: &str| Failure::TeardownRefused {
        reason: reason.to_owned(),
    };
    let input = io::stdin();
    if !input.is_terminal() {
        return Err(refused(
            "nobody can be asked; say --yes, or see what would go with --dry-run",
        ));
    }
    eprint!("remove {}? They cannot be had back. [y/N] ", counted(things));
    io::stderr().flush().map_err(Failure::Print)?;
    let mut line = String::new();
    let read = input.lock().take(LONGEST).read_line(&mut line);
    match read.is_ok() && is_yes(&line) {
        true => Ok(()),
        false => Err(refused("the answer was not yes")),
    }
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        assert!(["y\n", "Yes\n", " YES "].iter().all(|line| is_yes(line)));
        assert!(!["", "\n", "n\n", "yess\n", "j\n"].iter().any(|line| is_yes(line)));
    }
}
