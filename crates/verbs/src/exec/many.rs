//! A command in many instances at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval};

use super::Job;
use super::one::{Running, Said};
use crate::api::Api;
use crate::failure::{Failure, LATE};
use crate::prefix::Prefixes;
use crate::progress::elapsed;
use crate::select::{Each, Selected};
use crate::session::{Channel, Session};
use crate::timed::within;

/// Pieces of output that wait to be printed.
const WAITING: usize = 256;

/// The largest output of an instance that is kept for programs, in bytes.
const KEPT: usize = 1 << 20;

/// How often it is shown how many have ended.
const PERIOD: Duration = Duration::from_millis(500);

/// A piece of output of the instance at this place.
type Piece = (usize, Channel, Bytes);

/// What became of the command in one instance, for programs.
#[derive(Debug, Serialize)]
struct Outcome {
    id: String,
    name: String,
    exit_code: Option<i64>,
    stdout: String,
    stderr: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

/// Runs a command in all of them, so many at a time, and prints what each writes behind its name.
pub(super) async fn run(
    chosen: &[Selected],
    job: &Job,
    at_once: usize,
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let (sender, mut pieces) = mpsc::channel::<Piece>(WAITING);
    let (api, limit) = (session.api, session.limit);
    let ended = AtomicUsize::new(0);
    let mut commands: Vec<BoxFuture<'_, _>> = Vec::with_capacity(chosen.len());
    for (place, one) in chosen.iter().enumerate() {
        let command = in_one(place, one, job, sender.clone(), api);
        let ended = &ended;
        let counted = async move {
            let outcome = within(limit, command).await;
            ended.fetch_add(1, Ordering::Relaxed);
            (place, outcome)
        };
        commands.push(counted.boxed());
    }
    drop(sender);
    let work = stream::iter(commands).buffer_unordered(at_once).collect::<Vec<_>>();
    tokio::pin!(work);
    let mut shown = match session.output.is_data() {
        true => Shown::Kept(BTreeMap::new()),
        false => Shown::Prefixed(Prefixes::of(chosen.iter().map(|one| one.name.as_str()))),
    };
    let began = Instant::now();
    let mut again = interval(PERIOD);
    let mut outcomes = loop {
        tokio::select! {
            biased;
            Some(piece) = pieces.recv() => shown.take(piece, session)?,
            outcomes = &mut work => break outcomes,
            _ = again.tick() => {
                let (ended, of) = (ended.load(Ordering::Relaxed), chosen.len());
                session.sink.progress(&format!("exec: {ended} of {of} ended, {}", elapsed(began)));
            }
        }
    };
    session.sink.progress("");
    while let Ok(piece) = pieces.try_recv() {
        shown.take(piece, session)?;
    }
    outcomes.sort_by_key(|(place, _)| *place);
    match shown {
        Shown::Prefixed(prefixes) => {
            prefixes.end(session)?;
            report(chosen, outcomes, session)
        }
        Shown::Kept(kept) => print(chosen, outcomes, kept, session),
    }
}

async fn in_one(
    place: usize,
    one: &Selected,
    job: &Job,
    sender: mpsc::Sender<Piece>,
    api: &dyn Api,
) -> Result<i64, Failure> {
    let mut running = Running::begin(one, &job.exec, &job.files, None, api).await?;
    loop {
        match running.next().await? {
            // The reader lives as long as this.
            Said::Wrote(channel, bytes) => drop(sender.send((place, channel, bytes)).await),
            Said::Ended(code) => return Ok(code),
        }
    }
}

/// Where output goes.
enum Shown {
    /// To people, line by line.
    Prefixed(Prefixes),
    /// Into memory, for programs.
    Kept(BTreeMap<usize, [Vec<u8>; 2]>),
}

impl Shown {
    fn take(&mut self, (place, channel, bytes): Piece, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            Self::Prefixed(prefixes) => prefixes.take(place, channel, &bytes, session),
            Self::Kept(kept) => {
                let [out, err] = kept.entry(place).or_default();
                let kept = match channel {
                    Channel::Error => err,
                    Channel::Output | Channel::Terminal | Channel::Bytes => out,
                };
                let room = KEPT.saturating_sub(kept.len()).min(bytes.len());
                kept.extend_from_slice(&bytes[..room]);
                Ok(())
            }
        }
    }
}

type Outcomes = Vec<(usize, Result<i64, Failure>)>;

/// Reports every command that did not end with 0.
fn report(chosen: &[Selected], outcomes: Outcomes, session: &mut Session<'_>) -> Result<(), Failure> {
    let mut all = Each::of(chosen);
    for ((_, outcome), one) in outcomes.into_iter().zip(chosen) {
        match outcome.and_then(super::one::result) {
            Ok(()) => {}
            Err(failure) => all.failed(&one.name, failure, session),
        }
    }
    all.end()
}

fn print(
    chosen: &[Selected],
    outcomes: Outcomes,
    mut kept: BTreeMap<usize, [Vec<u8>; 2]>,
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let (of, mut late) = (outcomes.len(), 0);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let all: Vec<Outcome> = outcomes
        .into_iter()
        .zip(chosen)
        .map(|((place, outcome), one)| {
            let [stdout, stderr] = kept.remove(&place).unwrap_or_default().map(text);
            let (exit_code, failure) = match outcome {
                Ok(code) => (Some(code), None),
                Err(failure) => {
                    let reason = orchestrator_runtime::causes::with_causes(&failure);
                    late += usize::from(failure.code() == LATE);
                    (None, Some(reason))
                }
            };
            Outcome {
                id: one.id.to_string(),
                name: one.name.clone(),
                exit_code,
                stdout,
                stderr,
                failure,
            }
        })
        .collect();
    session.print_json(&all)?;
    match all.iter().filter(|one| one.exit_code != Some(0)).count() {
        0 => Ok(()),
        failed => {
            let code = if late == failed { LATE } else { 1 };
            Err(Failure::Some { failed, of, code })
        }
    }
}
