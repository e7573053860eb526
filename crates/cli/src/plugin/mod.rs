//! `orchestrator plugin`: for authors of executables that are engines.

mod publish;
mod report;
mod test;

use super::Output;
use super::failure::Failure;

/// Arguments of `plugin`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Run every test of the engine contract against an executable, and report what it does wrong
    Test(test::Args),
}

/// Runs one of the verbs.
pub(super) async fn run(args: Args, output: Output) -> Result<(), Failure> {
    match args.verb {
        Verb::Test(args) => test::run(args, output).await,
    }
}
