//! What people see: few words, few colours, none where they are not wanted.

use std::env;
use std::io::{IsTerminal, stdout};
use std::time::Duration;

use anyhow::Error;

/// Prints to standard output; in colour on a terminal, unless `NO_COLOR` is set.
pub struct Terminal {
    name: &'static str,
    colour: bool,
}

const BOLD: &str = "1";
const FAINT: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";

impl Terminal {
    /// Standard output as it is now. `name` begins the line that says why it failed.
    pub fn open(name: &'static str) -> Self {
        let wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            name,
            colour: wanted && stdout().is_terminal(),
        }
    }

    /// A new part begins.
    pub fn title(&self, text: &str) {
        println!("\n{}", self.paint(BOLD, text));
    }

    /// A line of prose.
    pub fn say(&self, text: &str) {
        println!("{text}");
    }

    /// Something was made ready, and what it is.
    pub fn made(&self, what: &str, detail: &str, took: Duration) {
        println!(
            "  {what:<10}{detail}  {}",
            self.paint(FAINT, &format!("{:.1} s", took.as_secs_f64()))
        );
    }

    /// Something happened, so long after the beginning.
    pub fn happened(&self, after: Duration, what: &str, detail: &str) {
        let time = format!("{:>9.1} ms", after.as_secs_f64() * 1000.0);
        println!("{}  {what:<38}{}", self.paint(FAINT, &time), self.paint(GREEN, detail));
    }

    /// Something that was read, as it was: a file, a page.
    pub fn quote(&self, text: &str) {
        for line in text.lines() {
            println!("      {} {line}", self.paint(FAINT, "│"));
        }
    }

    /// A command to try, and what for.
    pub fn command(&self, what: &str, command: &str) {
        println!("  {}\n    {command}", self.paint(FAINT, what));
    }

    /// A log, when something failed.
    pub fn log(&self, what: &str, text: &str) {
        println!("\n{}", self.paint(FAINT, what));
        self.quote(text);
    }

    /// Why it all came to an end.
    pub fn failure(&self, fault: &Error) {
        let failed = format!("The {} failed:", self.name);
        eprintln!("\n{} {fault:#}", self.paint(RED, &failed));
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
