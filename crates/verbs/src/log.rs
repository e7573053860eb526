//! `orchestrator log`: what instances wrote, merged in the order of time.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use orchestrator_api_types::LogLine;
use orchestrator_model::{Timestamp, parse_lifespan};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::api::{Api, CallError};
use super::failure::Failure;
use super::page;
use super::prefix::Prefixes;
use super::printable::escape_json;
use super::select::{Each, Numbers, Selected, named_also_gone, numbered};
use super::session::{Output, Session};
use super::sse;
use super::sse::Next;
use super::timed::{within, within_since};

/// How long lines are held back so that those of several instances can be sorted.
const WINDOW: Duration = Duration::from_millis(200);

/// Lines that are held back at most.
const HELD: usize = 10_000;

/// The most lines that are sorted, and their most bytes.
const MOST_LINES: usize = 200_000;
const MOST_BYTES: usize = 32 << 20;

/// How many logs are opened at the same time.
const AT_ONCE: usize = 16;

/// Arguments of `log`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Instances: names or patterns, like 'web-*'. Of those that are gone, also by name where no other has it, the last
    /// lines are shown
    #[arg(value_name = "INSTANCE", required = true)]
    names: Vec<String>,
    #[command(flatten)]
    which: Numbers,
    /// Continue with new lines as they are written
    #[arg(short, long)]
    follow: bool,
    /// Only lines from this moment on: a time like 2026-05-01T12:00:00Z, or how long ago, like 10m
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only so many lines of each container, from the end; 0 for all
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 100)]
    tail: u32,
    /// Only this container of each instance
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let (began, limit) = (Instant::now(), session.limit);
    let found = within(limit, named_also_gone(&args.names, session)).await?;
    let chosen = numbered(found, &args.names, &args.which)?;
    let query = query(args, session.now)?;
    let shown = Shown {
        prefixes: (chosen.len() > 1).then(|| Prefixes::of(chosen.iter().map(|one| one.name.as_str()))),
        chosen: &chosen,
    };
    let (sender, lines) = mpsc::channel(HELD);
    let api = session.api;
    let mut logs: Vec<BoxFuture<'_, _>> = Vec::with_capacity(chosen.len());
    for (place, one) in chosen.iter().enumerate() {
        let (sender, query) = (sender.clone(), query.clone());
        logs.push(async move { (place, read(place, one, &query, args.follow, &sender, api).await) }.boxed());
    }
    drop(sender);
    // Logs that are followed have no end, so that all of them are open at once.
    let at_once = if args.follow { logs.len().max(1) } else { AT_ONCE };
    let reading = stream::iter(logs).buffer_unordered(at_once).collect::<Vec<_>>();
    // What was read until the time is over is shown.
    let reading = within_since(began, limit, async { Ok(reading.await) });
    tokio::pin!(reading);
    let outcomes = match args.follow {
        true => shown.as_it_comes(lines, &mut reading, session).await?,
        false => shown.sorted(lines, &mut reading, session).await?,
    };
    let mut all = Each::of(&chosen);
    for (place, outcome) in outcomes? {
        if let Err(failure) = outcome {
            all.failed(&chosen[place].name, failure, session);
        }
    }
    all.end()
}

type Query = Vec<(&'static str, String)>;
/// What became of each log, unless the time was over before.
type Outcomes = Result<Vec<(usize, Result<(), Failure>)>, Failure>;

fn query(args: &Args, now: Timestamp) -> Result<Query, Failure> {
    let mut query = Vec::new();
    if args.follow {
        query.push(("follow", "true".to_owned()));
    }
    if let Some(since) = &args.since {
        query.push(("since", moment(since, now)?.to_string()));
    }
    if args.tail > 0 {
        query.push(("tail", args.tail.to_string()));
    }
    query.extend(args.container.clone().map(|name| ("container", name)));
    Ok(query)
}

/// A moment as a line gives it: a time, or how long ago.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Ok(ago) = parse_lifespan(text) {
        return Ok(now.minus(ago));
    }
    serde_json::from_value(Value::String(text.to_owned())).map_err(|_| Failure::Usage {
        what: format!("{text:?} is no time; write it like 10m or 2026-05-01T12:00:00Z"),
    })
}

/// A line, with the place of its instance.
type Line = (usize, LogLine);

/// Reads the log of an instance to its end.
async fn read(
    place: usize,
    one: &Selected,
    query: &Query,
    follow: bool,
    lines: &mpsc::Sender<Line>,
    api: &dyn Api,
) -> Result<(), Failure> {
    let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let path = page::with_query(&format!("{}/log", one.path()), &query);
    let mut stream = sse::Following::new(api.follow(&path).await?);
    loop {
        let all = match stream.next_to_end().await {
            Next::Data(all) => all,
            Next::End => return Ok(()),
            Next::Silent(silence) if !follow => return Err(CallError::Unreachable(silence.into()).into()),
            Next::BrokeOff | Next::Silent(_) => {
                let name = one.name.clone();
                return Err(Failure::LogBrokeOff { name });
            }
        };
        for data in all {
            let line: LogLine = page::parse(&data.into(), "a line of a log")?;
            if let Some(problem) = line.problem {
                return Err(CallError::Problem(Box::new(problem)).into());
            }
            // Nobody reads any more: the verb has ended.
            if lines.send((place, line)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// The latest lines, in the order of time, and then of their instances.
#[derive(Default)]
struct Latest {
    lines: BTreeMap<(Timestamp, usize, u64), Line>,
    bytes: usize,
    taken: u64,
    dropped: u64,
}

impl Latest {
    /// Takes a line, and drops the oldest ones when there are too many.
    fn add(&mut self, line: Line) {
        self.taken += 1;
        self.bytes += line.1.line.len();
        self.lines.insert((line.1.at, line.0, self.taken), line);
        while self.lines.len() > MOST_LINES || self.bytes > MOST_BYTES {
            let Some((_, (_, oldest))) = self.lines.pop_first() else {
                return;
            };
            self.bytes -= oldest.line.len();
            self.dropped += 1;
        }
    }
}

struct Shown<'a> {
    /// None for a single instance, whose lines stand as they are.
    prefixes: Option<Prefixes>,
    chosen: &'a [Selected],
}

impl Shown<'_> {
    /// Prints all lines once they are known, in order.
    async fn sorted(
        &self,
        mut lines: mpsc::Receiver<Line>,
        reading: &mut (impl Future<Output = Outcomes> + Unpin),
        session: &mut Session<'_>,
    ) -> Result<Outcomes, Failure> {
        let mut latest = Latest::default();
        let outcomes = loop {
            tokio::select! {
                biased;
                Some(line) = lines.recv() => latest.add(line),
                outcomes = &mut *reading => break outcomes,
            }
        };
        while let Ok(line) = lines.try_recv() {
            latest.add(line);
        }
        if latest.dropped > 0 {
            session.sink.warn(&format!(
                "{} older lines are not shown: at most {MOST_LINES} lines and {} MiB are; ask for fewer with -n or --since",
                latest.dropped,
                MOST_BYTES >> 20
            ));
        }
        self.print(latest.lines.into_values().collect(), session)?;
        Ok(outcomes)
    }

    /// Prints lines as they come. Those that come within a short time are sorted.
    async fn as_it_comes(
        &self,
        mut lines: mpsc::Receiver<Line>,
        reading: &mut (impl Future<Output = Outcomes> + Unpin),
        session: &mut Session<'_>,
    ) -> Result<Outcomes, Failure> {
        loop {
            let mut held = Vec::new();
            let ended = tokio::select! {
                biased;
                Some(line) = lines.recv() => {
                    held.push(line);
                    None
                }
                outcomes = &mut *reading => Some(outcomes),
            };
            let until = Instant::now() + WINDOW;
            if let Some(outcomes) = ended {
                while let Ok(line) = lines.try_recv() {
                    held.push(line);
                }
                self.print(held, session)?;
                return Ok(outcomes);
            }
            // The logs are read on while lines are held back.
            let collecting = async {
                while held.len() < HELD {
                    match timeout_at(until, lines.recv()).await {
                        Ok(Some(line)) => held.push(line),
                        _ => break,
                    }
                }
            };
            let over = tokio::select! {
                biased;
                () = collecting => None,
                outcomes = &mut *reading => Some(outcomes),
            };
            while let Ok(line) = lines.try_recv() {
                held.push(line);
            }
            self.print(held, session)?;
            if let Some(outcomes) = over {
                return Ok(outcomes);
            }
        }
    }

    fn print(&self, mut lines: Vec<Line>, session: &mut Session<'_>) -> Result<(), Failure> {
        // Lines of the same moment stay in the order of their instances, and within one as they were written.
        lines.sort_by_key(|(place, line)| (line.at, *place));
        for (place, line) in lines {
            self.show(place, &line, session)?;
        }
        Ok(())
    }

    fn show(&self, place: usize, line: &LogLine, session: &mut Session<'_>) -> Result<(), Failure> {
        let one = &self.chosen[place];
        match session.output {
            Output::Json | Output::Yaml | Output::Name => {
                let mut item = serde_json::to_value(line).unwrap_or_default();
                item["id"] = one.id.to_string().into();
                item["name"] = one.name.clone().into();
                session.print(&escape_json(&item.to_string()))
            }
            Output::Wide => {
                let text = format!("{} {} {}", line.at, line.source, line.line);
                session.print(&self.prefixed(place, &text))
            }
            Output::Table => session.print(&self.prefixed(place, &line.line)),
        }
    }

    fn prefixed(&self, place: usize, line: &str) -> String {
        match &self.prefixes {
            Some(prefixes) => prefixes.line(place, line),
            None => super::printable::printable(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_api_types::LogSource;

    use super::*;

    #[test]
    fn the_latest_lines_are_kept_within_bounds_and_in_order() {
        let mut latest = Latest::default();
        let line = |at: i64, bytes: usize| LogLine {
            at: Timestamp(at),
            container: "main".to_owned(),
            source: LogSource::Stdout,
            line: "x".repeat(bytes),
            problem: None,
        };
        latest.add((1, line(7, 1)));
        latest.add((0, line(7, 2)));
        latest.add((0, line(3, 3)));
        let order: Vec<usize> = latest.lines.values().map(|(_, line)| line.line.len()).collect();
        assert_eq!(order, [3, 2, 1]);
        latest.add((0, line(9, MOST_BYTES - 3)));
        assert_eq!((latest.dropped, latest.lines.len(), latest.bytes), (1, 3, MOST_BYTES));
        let mut many = Latest::default();
        (0..MOST_LINES as i64 + 5).for_each(|at| many.add((0, line(at, 0))));
        assert_eq!((many.dropped, many.lines.len()), (5, MOST_LINES));
        assert_eq!(many.lines.first_key_value().unwrap().0.0, Timestamp(5));
    }
}
