//! `orchestrator kill`: destroys instances, and waits until they are gone.

use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::failure::Failure;
use super::power::finish;
use super::rm;
use super::select::{Names, Selected, select_to};
use super::session::Session;
use super::wait;

/// How many instances are removed at the same time.
const AT_ONCE: usize = 16;

/// Arguments of `kill`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    names: Names,
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let Names { names, which } = &args.names;
    let chosen = select_to("destroy", names, which, session).await?;
    let limit = which.timeout.unwrap_or(wait::LIMIT);
    let of: &Session<'_> = session;
    let one = |one: &'_ Selected| {
        let one = one.clone();
        async move {
            rm::remove(&one, false, of.api).await?;
            wait::until(&one, wait::is_gone, limit, of).await
        }
    };
    let outcomes: Vec<Result<Value, Failure>> = stream::iter(chosen.iter().map(one)).buffered(AT_ONCE).collect().await;
    finish(&chosen, outcomes, "is gone", session)
}
