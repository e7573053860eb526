//! `orchestrator plugin test`: the suite that every engine passes, against an executable.

use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;
use std::time::Duration;

use orchestrator_conformance::{Bare, Parts, Publish};
use orchestrator_plugin::{Engine, Id, Mark};
use orchestrator_plugin_exec::{ExecEngine, ExecSettings};

use super::publish::Publisher;
use super::report::Report;
use crate::Output;
use crate::failure::Failure;

/// How often the executable is asked for changes.
const POLL: Duration = Duration::from_millis(200);

/// Arguments of `plugin test`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The executable; docs/exec.md says what it must do
    program: PathBuf,
    /// An argument of the executable; may be given several times
    #[arg(long = "argument", value_name = "TEXT", allow_hyphen_values = true)]
    arguments: Vec<String>,
    /// An image that it has, with a shell at `sh`, `sleep` and a writable /tmp
    #[arg(long, value_name = "IMAGE")]
    image: String,
    /// A network namespace, for an executable that takes one: `ip netns add test` makes /run/netns/test
    #[arg(long, value_name = "PATH")]
    netns: Option<PathBuf>,
    /// A network of the executable's own, for one that connects containers to networks
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// A tap device, for an executable that opens one
    #[arg(long, value_name = "NAME")]
    tap: Option<String>,
    /// A program that makes another image under the name that is its argument, for an executable with image-pins: the
    /// image has a shell at `sh`, too
    #[arg(long, value_name = "PROGRAM")]
    publish: Option<PathBuf>,
    /// Seconds that one call may take
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Run only the tests whose names contain this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
}

/// Runs the suite and prints what came of it.
pub(super) async fn run(args: Args, output: Output) -> Result<(), Failure> {
    let directory = Scratch::new()?;
    let first = ExecEngine::new("plugin", settings(&args)?, Mark { site: new_id()? });
    let facts = first.check().await.map_err(|fault| Failure::Plugin(Box::new(fault)))?;
    let capabilities = first.capabilities();
    let mut report = Report::begin(&facts, capabilities, output)?;
    let first = Arc::new(first);
    let limit = Duration::from_secs(args.timeout);
    let publisher = args.publish.map(|program| Publisher::new(program, limit));
    if let Some(publisher) = &publisher {
        publisher.end_with_this_process().map_err(Failure::Runtime)?;
    }
    let subject = Bare::new(Parts {
        make: Box::new(move |mark| Arc::new(first.for_site(mark))),
        image: args.image,
        prepared: args.netns,
        network: args.network,
        tap: args.tap,
        publish: publisher
            .map(|publisher| -> Publish { Box::new(move |name| Box::pin(publisher.clone().publish(name.to_owned()))) }),
        directory: directory.0.clone(),
    });
    let mut printed = Ok(());
    orchestrator_conformance::run(Arc::new(subject), capabilities, &args.only, |name, outcome| {
        // The first line that cannot be printed ends the printing, not the clean-up of the tests.
        if printed.is_ok() {
            printed = report.add(name, outcome);
        }
    })
    .await;
    printed?;
    report.end()
}

fn settings(args: &Args) -> Result<ExecSettings, Failure> {
    let program = absolute(&args.program).map_err(|source| Failure::File {
        doing: "find",
        path: args.program.clone(),
        source,
    })?;
    Ok(ExecSettings {
        arguments: args.arguments.clone(),
        timeout: Duration::from_secs(args.timeout),
        poll: POLL,
        ..ExecSettings::of(program)
    })
}

fn new_id() -> Result<Id, Failure> {
    Id::random().map_err(Failure::Runtime)
}

/// A directory for what the tests need of files. It goes when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("orchestrator-plugin-{}", new_id()?));
        match std::fs::create_dir(&path) {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(Failure::File {
                doing: "make directory",
                path,
                source,
            }),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let path: &Path = &self.0;
        let _ = std::fs::remove_dir_all(path);
    }
}
