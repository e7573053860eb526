//! Lines: words that name a verb, as somebody types them.

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::session::{Output, Session};
use crate::{events, ls, reconfigure, reload, reservation, rm, settings, show, tasks};

/// What people ask of the daemon.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List instances, leases, clients or orphans
    Ls(ls::Args),
    /// Show a client or an instance, and what happened to it
    Show(show::Args),
    /// Destroy instances; their clients get new ones at their next lease event
    Rm(rm::Args),
    /// Reserve addresses and prefixes for known clients
    Reservation(reservation::Args),
    /// Show what happened, oldest first
    Events(events::Args),
    /// Make a client renew its lease now, if it accepts that
    Reconfigure(reconfigure::Args),
    /// Make the daemon read its settings again; wrong settings change nothing
    Reload,
    /// Show since when the settings are in force, and whether the file differs from them
    Settings,
    /// Show every task of the daemon: its state, how its last run ended, and when it is tried next
    Tasks,
}

impl Verb {
    /// Does it.
    ///
    /// # Errors
    ///
    /// When the API refuses or does not answer, or what it answers cannot be printed.
    pub async fn run(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            Self::Ls(args) => ls::run(args, session).await,
            Self::Show(args) => show::run(args, session).await,
            Self::Rm(args) => rm::run(args, session).await,
            Self::Reservation(args) => reservation::run(args, session).await,
            Self::Events(args) => events::run(args, session).await,
            Self::Reconfigure(args) => reconfigure::run(args, session).await,
            Self::Reload => reload::run(session).await,
            Self::Settings => settings::run(session).await,
            Self::Tasks => tasks::run(session).await,
        }
    }
}

/// A line without the program's name: `ls instances -o json`.
#[derive(Debug, Parser)]
#[command(name = "orchestrator", no_binary_name = true, disable_help_subcommand = true)]
pub struct Line {
    /// How results are printed
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// What is asked for.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Why words are no line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Misuse {
    /// What to say: which words were not understood and what would be, or the help that was asked for.
    pub text: String,
    /// Whether help was asked for, and nothing is wrong.
    pub is_help: bool,
}

impl Line {
    /// Reads a line. The verbs that touch the machine are none of its verbs.
    ///
    /// # Errors
    ///
    /// When the words are not understood, or ask for help.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, Misuse> {
        Self::try_parse_from(words).map_err(|fault| Misuse {
            text: fault.render().to_string(),
            is_help: !fault.use_stderr(),
        })
    }
}
