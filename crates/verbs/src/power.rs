//! `orchestrator on`, `off` and `reset`: the processes of instances, while their containers stay.

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use orchestrator_api_types::InstanceView;
use serde_json::Value;

use super::failure::Failure;
use super::page;
use super::progress::collect;
use super::select::{Each, Names, Selected, select_to};
use super::session::Session;
use super::wait;

/// How many instances are changed at the same time.
const AT_ONCE: usize = 16;

/// Arguments of `on`, `off` and `reset`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    names: Names,
    /// Return once it is recorded, before it is done
    #[arg(long)]
    no_wait: bool,
}

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    On,
    Off,
    Reset,
}

impl Change {
    const fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Reset => "reset",
        }
    }

    const fn doing(self) -> &'static str {
        match self {
            Self::On => "switch on",
            Self::Off => "switch off",
            Self::Reset => "restart",
        }
    }

    const fn done(self) -> &'static str {
        match self {
            Self::On => "runs",
            Self::Off => "is off",
            Self::Reset => "was restarted",
        }
    }

    fn is_done(self, view: &InstanceView) -> bool {
        match self {
            Self::On | Self::Reset => wait::runs(view),
            Self::Off => wait::is_off(view),
        }
    }
}

pub(super) async fn run(change: Change, args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let Names { names, which } = &args.names;
    let chosen = select_to(change.doing(), names, which, session).await?;
    let limit = session.limit.unwrap_or(wait::LIMIT);
    let api = session.api;
    let mut changes: Vec<BoxFuture<'_, _>> = Vec::with_capacity(chosen.len());
    for one in &chosen {
        let path = format!("{}/{}", one.path(), change.word());
        let changing = async move {
            let recorded: Value = page::parse(&api.post(&path, Vec::new()).await?, "an instance")?;
            match args.no_wait {
                true => Ok(recorded),
                false => wait::until(one, move |view| change.is_done(view), limit, api).await,
            }
        };
        changes.push(changing.boxed());
    }
    let work = stream::iter(changes).buffered(AT_ONCE);
    let outcomes: Vec<Result<Value, Failure>> = collect(change.doing(), chosen.len(), work, session).await;
    let said = match args.no_wait {
        true => "is to be changed",
        false => change.done(),
    };
    finish(&chosen, outcomes, said, session)
}

/// Prints what became of each instance.
pub(super) fn finish(
    chosen: &[Selected],
    outcomes: Vec<Result<Value, Failure>>,
    said: &str,
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let mut all = Each::of(chosen);
    let mut done = Vec::new();
    for (outcome, one) in outcomes.into_iter().zip(chosen) {
        match outcome {
            Ok(item) if session.output.is_data() => done.push(item),
            Ok(_) => session.print(&format!("{} {said}", one.name))?,
            Err(failure) => all.failed(&one.name, failure, session),
        }
    }
    if session.output.is_data() {
        session.print_json(&done)?;
    }
    all.end()
}
