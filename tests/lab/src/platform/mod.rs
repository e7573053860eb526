//! A platform in a box: a balancer, names, and two web applications with two instances each, one of which is replaced by
//! another version while visitors ask for its page.
//!
//! What is shown is checked: [`run`] fails when a page, a name or a count is not as it must be.

mod stage;
mod visitor;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::show::Terminal;
use crate::{Lab, Requests, Tally, poll, tail};
use stage::Stage;
use visitor::Visitor;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Requests a second, and the clients that send them.
const RATE: u32 = 100;
const CLIENTS: u32 = 8;
/// Requests before the other version is deployed, and after it.
const CALM: u64 = 100;
/// The name of the first application, as the original has it.
const FIRST: &str = "python1.service.consul";
const SECOND: &str = "python2.service.consul";

/// What it is made of.
pub struct Given {
    /// The daemon's binary; the helper orchestrator-oci is beside it.
    pub daemon: PathBuf,
    /// An archive of the image orchestrator/balancer.
    pub balancer: PathBuf,
    /// Archives of python-web:1 and python-web:2.
    pub applications: [PathBuf; 2],
    /// The directory with the files of the services.
    pub services: PathBuf,
    /// `docker`, `oci`, or nothing for the one that runs here.
    pub engine: String,
}

/// The platform after a roll under load.
pub struct Platform {
    stage: Stage,
    visitor: Visitor,
    /// The requests during the roll.
    pub tally: Tally,
}

/// Brings it all up in a lab, opens the pages by name, and rolls one of the applications under load.
///
/// # Errors
///
/// When anything is not as it must be; a failed request is in the tally.
pub fn run(lab: &Lab, given: &Given, terminal: &Terminal) -> Result<Platform> {
    let stage = Stage::set(lab, given, terminal)?;
    play(stage, given, terminal)
}

fn play(stage: Stage, given: &Given, terminal: &Terminal) -> Result<Platform> {
    let shown = show(&stage, given, terminal);
    if shown.is_err() {
        terminal.log("the end of the daemon's log", &tail(&stage.daemon.log(), 15));
    }
    let (visitor, tally) = shown?;
    Ok(Platform { stage, visitor, tally })
}

fn show(stage: &Stage, given: &Given, terminal: &Terminal) -> Result<(Visitor, Tally)> {
    terminal.title("Two web applications, from the files in examples/services");
    let file = |name: &str| given.services.join(format!("{name}.toml")).display().to_string();
    let files = [file("python1"), file("python2")];
    stage.line(&["deploy", &files[0], &files[1]], terminal)?;
    stage.line(&["services"], terminal)?;

    terminal.title("A visitor of the link opens both by name, through the balancer");
    let visitor = Visitor::arrive(&stage.host, terminal)?;
    for (name, text) in [(FIRST, "I am one, version 1"), (SECOND, "I am two, version 1")] {
        let page = visitor.open(name)?;
        terminal.quote(&page);
        ensure!(
            page.starts_with(text),
            "the page of {name} does not say {text:?}: {page}"
        );
    }
    terminal.say("Programs find the instances themselves, with their ports:");
    let found = visitor.ports(FIRST)?;
    terminal.quote(&found);
    ensure!(found.lines().count() == 2, "{FIRST} has not two instances: {found}");

    terminal.title(&format!(
        "python1 gets another version, while visitors ask {RATE} times a second"
    ));
    let load = Requests::start(visitor.namespace(), visitor.front(FIRST)?, FIRST, RATE, CLIENTS);
    let answered = |more: u64| {
        let goal = load.asked() + more;
        poll("the visitors' requests", PATIENCE, || {
            (load.asked() >= goal).then_some(())
        })
    };
    answered(CALM)?;
    let begun = Instant::now();
    stage.line(&["deploy", &files[0], "--set", "image=python-web:2"], terminal)?;
    let took = begun.elapsed();
    answered(CALM)?;
    let tally = load.stop();
    report(&tally, took, terminal);
    let other = visitor.open(SECOND)?;
    ensure!(other.starts_with("I am two, version 1"), "python2 has changed: {other}");
    Ok((visitor, tally))
}

fn report(tally: &Tally, took: Duration, terminal: &Terminal) {
    let of = |version: &str| {
        let matching = tally.answers.iter().filter(|(line, _)| line.ends_with(version));
        matching.map(|(_, count)| count).sum::<u64>()
    };
    terminal.made(
        "requests",
        &format!(
            "{} in all, failed: {}; version 1 answered {}, version 2 {}",
            tally.requests,
            tally.failures.len(),
            of("version 1"),
            of("version 2")
        ),
        took,
    );
    for failure in tally.failures.iter().take(5) {
        terminal.say(&format!("  failed: {failure}"));
    }
}

impl Platform {
    /// Checks what the roll has done.
    ///
    /// # Errors
    ///
    /// When a request failed, or a version never answered.
    pub fn check(&self) -> Result<()> {
        let failed = self.tally.failures.len();
        let first = self.tally.failures.first().map_or("", String::as_str);
        ensure!(failed == 0, "{failed} requests failed: {first}");
        for version in ["I am one, version 1", "I am one, version 2"] {
            let count = self.tally.answers.get(version).copied();
            count.with_context(|| format!("nobody answered {version:?}"))?;
        }
        Ok(())
    }

    /// Says how to look around, with commands that work as they stand.
    pub fn invite(&self, terminal: &Terminal) {
        terminal.title("It stays up until Ctrl-C. In another terminal, as root:");
        let cli = self.stage.cli();
        terminal.command(
            "services, and what runs",
            &format!("{cli} services\n    {cli} grep '*'"),
        );
        terminal.command("a shell for all verbs", &format!("{cli} shell"));
        let curl = self.visitor.shown_command(&["curl", &format!("http://{FIRST}/")]);
        terminal.command("the page, as the visitor opens it", &curl);
    }
}
