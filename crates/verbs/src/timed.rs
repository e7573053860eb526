//! `-t TIMEOUT` of every verb: how long it may take.
//!
//! The option belongs to each verb that talks to the API, and to nothing else of the command line: `client --timeout` counts
//! seconds, and a daemon that serves has no end.

use std::time::Duration;

use clap::error::Error;
use clap::{Arg, ArgMatches, Command, FromArgMatches, Subcommand};
use tokio::time::{Instant, timeout_at};

use crate::failure::Failure;
use crate::line::Verb;
use crate::select::span;
use crate::session::Session;

/// The name of the option.
const OPTION: &str = "timeout";

/// A verb, and how long it may take.
#[derive(Debug)]
pub struct Timed {
    /// The limit of the line; `None` if it has none.
    pub limit: Option<Duration>,
    /// The verb.
    pub verb: Verb,
}

impl Timed {
    /// Runs the verb for as long as it may take.
    ///
    /// # Errors
    ///
    /// Those of [`Verb::run`], and [`Failure::TimedOut`] when it takes longer. The work that it began goes on.
    pub async fn run(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        session.limit = self.limit.or(session.limit);
        let limit = match self.verb.keeps_limit() {
            true => None,
            false => session.limit,
        };
        within(limit, self.verb.run(session)).await
    }
}

/// Gives up after a time. Work that was begun goes on.
pub(crate) async fn within<T>(
    limit: Option<Duration>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    within_since(Instant::now(), limit, work).await
}

/// The same for a time that has begun already.
pub(crate) async fn within_since<T>(
    began: Instant,
    limit: Option<Duration>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let Some(limit) = limit else { return work.await };
    // A time that no clock reaches is no limit.
    let Some(until) = began.checked_add(limit) else {
        return work.await;
    };
    timeout_at(until, work)
        .await
        .unwrap_or(Err(Failure::TimedOut { limit }))
}

fn option() -> Arg {
    Arg::new(OPTION)
        .short('t')
        .long(OPTION)
        .value_name("TIMEOUT")
        .value_parser(span)
        .global(true)
        .help("How long it may take, like 30s or 5m; exit code 7 says that it took longer")
}

impl FromArgMatches for Timed {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        let of_verb = matches.subcommand().map(|(_, of_verb)| of_verb);
        let limit = of_verb.and_then(|of_verb| of_verb.get_one::<Duration>(OPTION)).copied();
        let verb = Verb::from_arg_matches_mut(matches)?;
        Ok(Self { limit, verb })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for Timed {
    fn augment_subcommands(command: Command) -> Command {
        let verbs = Verb::augment_subcommands(Command::default().name("verbs"));
        command.subcommands(verbs.get_subcommands().map(|verb| verb.clone().arg(option())))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        Verb::has_subcommand(name)
    }
}
