//! The verbs that are for the command line only, and why.

use std::fmt;

use clap::Command;
use clap::error::{ContextKind, ContextValue};

/// A verb of the command line that no line at a prompt or by HTTP has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outside {
    /// The verb.
    pub verb: &'static str,
    /// Why it is for the command line only, and what does the same from elsewhere, if something does.
    pub reason: &'static str,
}

/// All verbs that are for the command line only.
pub const OUTSIDE: &[Outside] = &[
    Outside {
        verb: "serve",
        reason: "it is the daemon itself",
    },
    Outside {
        verb: "check",
        reason: "it examines the machine where it is typed, for a daemon that does not run yet; GET /v1/doctor examines that of the daemon",
    },
    Outside {
        verb: "doctor",
        reason: "it examines the machine where it is typed if no daemon answers; GET /v1/doctor has what the daemon finds, and POST /v1/doctor/fix does what is safe",
    },
    Outside {
        verb: "client",
        reason: "it obtains a lease for an interface of the machine where it is typed",
    },
    Outside {
        verb: "hook",
        reason: "a DHCP server runs it on its machine; POST /v1/hooks/dnsmasq takes the same events",
    },
    Outside {
        verb: "init",
        reason: "it makes a directory on the machine where it is typed",
    },
    Outside {
        verb: "shell",
        reason: "it reads lines; send or type them one by one",
    },
    Outside {
        verb: "routes",
        reason: "it reads and removes routes of the machine where it is typed, also those of daemons that are gone",
    },
    Outside {
        verb: "backup",
        reason: "it reads the database and the settings on the daemon's machine, also while the daemon does not run",
    },
    Outside {
        verb: "restore",
        reason: "it writes the database of a daemon that does not run",
    },
    Outside {
        verb: "secrets",
        reason: "it reads the key file on the daemon's machine, which the API shows to nobody",
    },
    Outside {
        verb: "plugin",
        reason: "it runs an executable of the machine where it is typed",
    },
    Outside {
        verb: "teardown",
        reason: "it removes what a daemon made that does not run",
    },
    Outside {
        verb: "version",
        reason: "it is about the program that is typed; GET /v1/health has the version of the daemon",
    },
];

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, reason } = self;
        write!(f, "orchestrator: `{verb}` is for the command line only: {reason}")
    }
}

/// The verb of the command line that the words of a line name, for which the parser of lines has no verb.
pub(crate) fn named_by(fault: &clap::Error, words: &[&str], parser: &Command) -> Option<Outside> {
    let Some(ContextValue::String(unknown)) = fault.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    // Behind another verb, it is no verb of the command line.
    let mut before = words.iter().take_while(|word| **word != unknown);
    match before.any(|word| parser.find_subcommand(word).is_some()) {
        true => None,
        false => OUTSIDE.iter().find(|outside| outside.verb == *unknown).copied(),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Line, OUTSIDE};

    #[test]
    fn a_verb_of_the_command_line_is_refused_with_its_reason() {
        for outside in OUTSIDE {
            for line in [vec![outside.verb], vec!["-o", "json", outside.verb, "--help"]] {
                let misuse = Line::parse(line.iter().copied()).unwrap_err();
                assert!(
                    misuse.text.contains(outside.reason) && !misuse.is_help,
                    "{line:?}: {}",
                    misuse.text
                );
            }
        }
    }

    #[test]
    fn other_words_are_refused_by_the_parser() {
        for line in [["backups", "x"], ["kv", "backup"], ["-o", "serve"]] {
            let text = Line::parse(line).unwrap_err().text;
            assert!(!text.contains("command line only"), "{line:?}: {text}");
        }
    }
}
