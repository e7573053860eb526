//! How far something is that lasts: one line, where there is a terminal.

use std::time::Duration;

use futures_util::{Stream, StreamExt};
use orchestrator_model::show_lifespan;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::image::amount;
use super::session::Session;

/// How often the line is written again while nothing happens.
const PERIOD: Duration = Duration::from_secs(1);

/// The time since a moment for people, in whole seconds.
pub(crate) fn elapsed(since: Instant) -> String {
    show_lifespan(Duration::from_secs(since.elapsed().as_secs()))
}

/// How much was copied so far: `backup: 12.0 MiB, 3s`.
pub fn copied(doing: &str, bytes: u64, since: Duration) -> String {
    let since = show_lifespan(Duration::from_secs(since.as_secs()));
    format!("{doing}: {}, {since}", amount(bytes))
}

/// Collects what is done, and shows how much of it there is: `switch off: 2 of 5 done, 3s`.
pub(crate) async fn collect<T>(
    doing: &str,
    of: usize,
    mut work: impl Stream<Item = T> + Unpin,
    session: &mut Session<'_>,
) -> Vec<T> {
    let began = Instant::now();
    let mut done = Vec::with_capacity(of);
    let mut again = interval(PERIOD);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        session
            .sink
            .progress(&format!("{doing}: {} of {of} done, {}", done.len(), elapsed(began)));
        tokio::select! {
            next = work.next() => match next {
                Some(one) => done.push(one),
                None => break,
            },
            _ = again.tick() => {}
        }
    }
    session.sink.progress("");
    done
}
