//! Completion at the prompt: verbs and options of the parser, names of the daemon.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use orchestrator_verbs::complete::complete;
use orchestrator_verbs::{Api, names};
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use tokio::runtime::Handle;

use super::super::http::Client;

/// How long names are good for.
const FRESH: Duration = Duration::from_secs(5);

/// How long the daemon may take: somebody waits at the keyboard.
const LIMIT: Duration = Duration::from_millis(700);

/// Completes lines.
pub(super) struct Completion {
    runtime: Handle,
    api: Client,
    names: RefCell<Option<(Instant, Vec<String>)>>,
}

impl Completion {
    pub(super) fn new(runtime: Handle, api: Client) -> Self {
        Self {
            runtime,
            api: api.with_limit(LIMIT),
            names: RefCell::new(None),
        }
    }

    /// The names that the daemon has; none when it does not answer in time.
    fn names(&self) -> Vec<String> {
        if let Some((at, names)) = self.names.borrow().as_ref()
            && at.elapsed() < FRESH
        {
            return names.clone();
        }
        let api: &dyn Api = &self.api;
        let names = self.runtime.block_on(names(api)).unwrap_or_default();
        self.names.replace(Some((Instant::now(), names.clone())));
        names
    }
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let line = line.get(..at).unwrap_or(line);
        Ok(complete(line, &self.names()))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}

impl Validator for Completion {}

impl Helper for Completion {}
