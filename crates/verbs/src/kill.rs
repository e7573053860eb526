//! `orchestrator kill`: destroys instances, and waits until they are gone.

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::Value;

use super::failure::Failure;
use super::power::finish;
use super::progress::collect;
use super::rm;
use super::select::{Names, select_to};
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
    let limit = session.limit.unwrap_or(wait::LIMIT);
    let api = session.api;
    let mut ends: Vec<BoxFuture<'_, _>> = Vec::with_capacity(chosen.len());
    for one in &chosen {
        let ending = async move {
            rm::remove(one, false, api).await?;
            wait::until(one, wait::is_gone, limit, api).await
        };
        ends.push(ending.boxed());
    }
    let work = stream::iter(ends).buffered(AT_ONCE);
    let outcomes: Vec<Result<Value, Failure>> = collect("destroy", chosen.len(), work, session).await;
    finish(&chosen, outcomes, "is gone", session)
}
