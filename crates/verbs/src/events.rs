//! `orchestrator events`: shows past events in order, and follows new ones.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::api::{Api, CallError, Stream};
use super::failure::Failure;
use super::printable::escape_json;
use super::resolve::{Kind, resolve};
use super::session::{Output, Session};
use super::{page, sse, view};

/// The pause before the next try to reach the daemon.
const PAUSE: Duration = Duration::from_secs(1);

/// Arguments of `events`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Continue with new events as they happen
    #[arg(short, long)]
    follow: bool,
    /// Number of past events to show
    #[arg(short, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=5000))]
    n: u32,
    /// Only those of this client: its id, host name, DUID or address, or the beginning of one
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Only those of this instance: its id or address, what its client goes by, or the beginning of one
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
}

#[derive(Deserialize)]
struct Numbered {
    id: i64,
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let filter = filter(args, session.api).await?;
    let mut query = borrowed(&filter);
    // If no past event is shown, the last one still says where to continue.
    let count = args.n.max(1).to_string();
    query.push(("limit", &count));
    let events = page::one(session.api, "/v1/events", &query).await?;
    let mut last = 0;
    for event in &events {
        last = page::read::<Numbered>(event, "an event")?.id;
        if args.n > 0 {
            show(event, session)?;
        }
    }
    if args.follow {
        follow(&filter, last, session).await
    } else {
        Ok(())
    }
}

/// Follows the events for as long as somebody reads. It waits for a daemon that restarts, and misses no event
/// meanwhile.
async fn follow(filter: &[(&str, String)], mut last: i64, session: &mut Session<'_>) -> Result<(), Failure> {
    loop {
        let after = last.to_string();
        let mut query = borrowed(filter);
        query.push(("after", &after));
        match session.api.follow(&page::with_query("/v1/events", &query)).await {
            Ok(stream) => read(stream, &mut last, session).await?,
            Err(error @ CallError::Problem(_)) => return Err(error.into()),
            Err(error) => session.warn(&error),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Shows what comes, until the stream ends or is silent.
async fn read(stream: Stream, last: &mut i64, session: &mut Session<'_>) -> Result<(), Failure> {
    let mut stream = sse::Following::new(stream);
    while let Some(all) = stream.next_or_again(session).await {
        for data in all {
            let event: Value = page::parse(&data.into(), "an event")?;
            *last = page::read::<Numbered>(&event, "an event")?.id;
            show(&event, session)?;
        }
    }
    Ok(())
}

/// One line an event, also in JSON: so it can be read while it is written.
fn show(event: &Value, session: &mut Session<'_>) -> Result<(), Failure> {
    match session.output {
        Output::Json | Output::Yaml => session.print(&escape_json(&event.to_string())),
        Output::Name => session.print(&event.get("id").map(Value::to_string).unwrap_or_default()),
        Output::Table | Output::Wide => session.print(&view::event(event)?),
    }
}

async fn filter(args: &Args, api: &dyn Api) -> Result<Vec<(&'static str, String)>, Failure> {
    let mut filter = Vec::new();
    if let Some(text) = &args.client {
        let (_, id) = resolve(text, &[(Kind::Client, &[])], api).await?;
        filter.push(("client", id.to_string()));
    }
    if let Some(text) = &args.instance {
        let (_, id) = resolve(text, &[(Kind::Instance, &[("all", "true")])], api).await?;
        filter.push(("instance", id.to_string()));
    }
    Ok(filter)
}

fn borrowed<'a>(filter: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    filter.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use orchestrator_model::Timestamp;
    use tokio::time::{Instant, Sleep, sleep};

    use super::*;
    use crate::tests::{Nobody, Printed};

    /// Says that it is there so many times, every 15 seconds, and then no more.
    struct Hanging {
        left: usize,
        timer: Pin<Box<Sleep>>,
    }

    impl futures_util::Stream for Hanging {
        type Item = std::io::Result<Bytes>;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<std::io::Result<Bytes>>> {
            if self.left == 0 || self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.left -= 1;
            self.timer = Box::pin(sleep(Duration::from_secs(15)));
            Poll::Ready(Some(Ok(Bytes::from_static(b":\n\n"))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_falls_silent_is_left_after_45_seconds() {
        let begin = Instant::now();
        let timer = Box::pin(sleep(Duration::from_secs(15)));
        let mut last = 7;
        let mut printed = Printed::default();
        let mut session = Session {
            api: &Nobody,
            sink: &mut printed,
            output: Output::Table,
            now: Timestamp(0),
            local: &crate::Nothing,
            limit: None,
        };
        let hanging = Box::pin(Hanging { left: 4, timer });
        read(hanging, &mut last, &mut session).await.unwrap();
        assert_eq!((begin.elapsed().as_secs(), last), (4 * 15 + 45, 7));
        assert_eq!(printed.warned, ["the daemon is silent; asking again"]);
    }
}
