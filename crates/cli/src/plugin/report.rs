//! What came of the tests of an executable, for people and as JSON.

use orchestrator_conformance::Outcome;
use orchestrator_plugin::{Capabilities, EngineFacts};
use orchestrator_verbs::printable::printable;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::{Output, table};

/// A report that is printed line by line.
pub(super) struct Report {
    output: Output,
    engine: Value,
    cases: Vec<Value>,
    passed: usize,
    skipped: usize,
    failed: usize,
}

impl Report {
    /// Begins with what the executable says of itself.
    pub(super) fn begin(facts: &EngineFacts, capabilities: Capabilities, output: Output) -> Result<Self, Failure> {
        let words: Vec<&str> = capabilities.iter().map(|one| one.code()).collect();
        if !output.is_data() {
            let of = format!("{} {}, with {}", facts.name, facts.version, words.join(", "));
            table::print(&printable(&of))?;
        }
        Ok(Self {
            output,
            engine: json!({ "name": facts.name, "version": facts.version, "capabilities": words }),
            cases: Vec::new(),
            passed: 0,
            skipped: 0,
            failed: 0,
        })
    }

    /// Adds what came of one test.
    pub(super) fn add(&mut self, name: &str, outcome: Outcome) -> Result<(), Failure> {
        let (count, word, reason) = match outcome {
            Outcome::Passed => (&mut self.passed, "passed", None),
            Outcome::Skipped(reason) => (&mut self.skipped, "skipped", Some(reason)),
            Outcome::Failed(reason) => (&mut self.failed, "failed", Some(reason)),
        };
        *count += 1;
        if self.output.is_data() {
            self.cases
                .push(json!({ "name": name, "outcome": word, "reason": reason }));
            return Ok(());
        }
        table::print(&line(name, word, reason.as_deref()))
    }

    /// Ends with the numbers. Fails when a test did.
    pub(super) fn end(self) -> Result<(), Failure> {
        let Self {
            passed,
            skipped,
            failed,
            ..
        } = self;
        match self.output {
            Output::Json | Output::Yaml | Output::Name => table::print(&table::data(
                self.output,
                &json!({
                    "engine": self.engine,
                    "cases": self.cases,
                    "passed": passed,
                    "skipped": skipped,
                    "failed": failed,
                }),
            )?)?,
            Output::Table | Output::Wide => {
                table::print(&format!("{passed} passed, {failed} failed, {skipped} skipped"))?;
            }
        }
        match failed {
            0 => Ok(()),
            failed => Err(Failure::NotConforming { failed }),
        }
    }
}

/// A test's name in plain words, and below it what the engine did instead.
fn line(name: &str, word: &str, reason: Option<&str>) -> String {
    let name = name.replace("::", ": ").replace('_', " ");
    match (word, reason) {
        ("failed", Some(reason)) => {
            let lines: Vec<String> = reason
                .lines()
                .map(|line| format!("          {}", printable(line)))
                .collect();
            format!("{word:<8}  {name}\n{}", lines.join("\n"))
        }
        (_, Some(reason)) => format!("{word:<8}  {name} ({})", printable(reason)),
        (_, None) => format!("{word:<8}  {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_expected_and_what_was_done_instead() {
        assert_eq!(
            line("stop::twice_is_once", "passed", None),
            "passed    stop: twice is once"
        );
        assert_eq!(
            line("stop::twice_is_once", "skipped", Some("it cannot stop")),
            "skipped   stop: twice is once (it cannot stop)"
        );
        assert_eq!(
            line("stop::twice_is_once", "failed", Some("left: 1\nright: \u{1b}2")),
            "failed    stop: twice is once\n          left: 1\n          right: \u{fffd}2"
        );
    }
}
