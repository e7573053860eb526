//! Completion at the prompt: verbs and options of the parser, names of the daemon.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use orchestrator_verbs::complete::{Names, complete};
use orchestrator_verbs::{Api, Line};
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::super::http::Client;

/// How long names are good for.
const FRESH: Duration = Duration::from_secs(5);

/// How long the daemon may take: somebody waits at the keyboard.
const LIMIT: Duration = Duration::from_millis(700);

/// Completes lines.
pub(super) struct Completion {
    runtime: Handle,
    api: Client,
    names: RefCell<HashMap<Names, (Instant, Vec<String>)>>,
}

impl Completion {
    pub(super) fn new(runtime: Handle, api: Client) -> Self {
        Self {
            runtime,
            api: api.with_limit(LIMIT),
            names: RefCell::default(),
        }
    }

    /// The names that the daemon has; none when it does not answer in time.
    fn names(&self, kind: Names) -> Vec<String> {
        if let Some((at, names)) = self.names.borrow().get(&kind)
            && at.elapsed() < FRESH
        {
            return names.clone();
        }
        let api: &dyn Api = &self.api;
        let reading = async { timeout(LIMIT, kind.read(api)).await };
        let names = self
            .runtime
            .block_on(reading)
            .ok()
            .and_then(Result::ok)
            .unwrap_or_default();
        self.names.borrow_mut().insert(kind, (Instant::now(), names.clone()));
        names
    }
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let line = line.get(..at).unwrap_or(line);
        Ok(complete(&Line::parser(), line, |kind| self.names(kind)))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}

impl Validator for Completion {}

impl Helper for Completion {}
