//! Waiting for the answer of an instance for as long as its process runs.

use std::future::Future;

use tokio::pin;

use super::failure::{Failure, Unanswering};
use super::worker::Wake;

/// Waits for `answer`, and gives up as soon as `look` finds that the process has ended.
///
/// `look` is asked once at the start, side by side with the answer, then whenever there is `news`, and once more when
/// there was no answer, so that only of what runs it is said that it is left running.
///
/// # Errors
///
/// [`Failure::Ended`] when the process has ended; what the first look says otherwise; what `answer` says.
pub(super) async fn while_running<L>(
    look: impl Fn() -> L,
    answer: impl Future<Output = Result<(), Failure>>,
    news: &Wake,
) -> Result<(), Failure>
where
    L: Future<Output = Result<(), Failure>>,
{
    let first_look = look();
    pin!(first_look, answer);
    let early = tokio::select! {
        looked = &mut first_look => { looked?; None }
        answered = &mut answer => { first_look.await?; Some(answered) }
    };
    let answered = match early {
        Some(answered) => answered,
        None => tokio::select! {
            answered = answer => answered,
            ended = ends(&look, news) => Err(ended),
        },
    };
    match answered {
        Err(silent @ Failure::Silent { .. }) => Err(confirm(silent, look().await)),
        other => other,
    }
}

/// Returns when the process has ended. An engine that does not answer says nothing.
async fn ends<L>(look: &impl Fn() -> L, news: &Wake) -> Failure
where
    L: Future<Output = Result<(), Failure>>,
{
    loop {
        news.received().await;
        if let Err(ended @ Failure::Ended { .. }) = look().await {
            return ended;
        }
    }
}

/// What is said of an instance that did not answer, after another look at its process.
fn confirm(silent: Failure, looked: Result<(), Failure>) -> Failure {
    match (looked, silent) {
        (Err(ended @ Failure::Ended { .. }), _) => ended,
        (
            Err(_),
            Failure::Silent {
                address,
                port,
                within,
                source,
                fate: _,
            },
        ) => Failure::Silent {
            address,
            port,
            within,
            source,
            fate: Unanswering::Unknown,
        },
        (_, silent) => silent,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::time::Duration;

    use orchestrator_plugin::EngineError;
    use tokio::time::{Instant, sleep};

    use super::super::probe::NoAnswer;
    use super::*;
    use orchestrator_model::Id;

    const WITHIN: Duration = Duration::from_secs(40);

    fn ended() -> Failure {
        Failure::Ended {
            id: Id::from_bytes([1; 6]),
            code: Some(7),
        }
    }

    fn engine_down() -> Failure {
        Failure::Engine(EngineError::Timeout {
            engine: "unix:///run/docker.sock".to_owned(),
            verb: "inspect",
            seconds: 30,
        })
    }

    async fn no_answer() -> Result<(), Failure> {
        sleep(WITHIN).await;
        Err(Failure::Silent {
            address: Ipv6Addr::LOCALHOST,
            port: 80,
            within: WITHIN,
            fate: Unanswering::Left,
            source: NoAnswer::TimedOut,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_process_is_seen_with_the_news_and_not_when_the_time_is_over() {
        let (began, news, runs) = (Instant::now(), Wake::default(), AtomicBool::new(true));
        let look = async || match runs.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err(ended()),
        };
        let engine = async {
            sleep(Duration::from_secs(2)).await;
            // The client renews its lease, say: news of something else.
            news.notify();
            sleep(Duration::from_secs(1)).await;
            runs.store(false, Ordering::Relaxed);
            news.notify();
        };
        let (outcome, ()) = tokio::join!(while_running(look, no_answer(), &news), engine);
        assert!(
            matches!(outcome, Err(Failure::Ended { code: Some(7), .. })),
            "{outcome:?}"
        );
        assert_eq!(began.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_ended_without_news_is_not_said_to_be_left_running() {
        let (news, looks) = (Wake::default(), AtomicU32::new(0));
        let look = async || match looks.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(ended()),
        };
        let outcome = while_running(look, no_answer(), &news).await;
        assert!(matches!(outcome, Err(Failure::Ended { .. })), "{outcome:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_goes_away_ends_no_wait_and_leaves_open_what_runs() {
        let (began, news, looks) = (Instant::now(), Wake::default(), AtomicU32::new(0));
        let look = async || match looks.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(engine_down()),
        };
        news.notify();
        let outcome = while_running(look, no_answer(), &news).await;
        assert_eq!(began.elapsed(), WITHIN);
        let unknown = matches!(
            outcome,
            Err(Failure::Silent {
                fate: Unanswering::Unknown,
                ..
            })
        );
        assert!(unknown, "{outcome:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_counts_only_when_the_first_look_found_the_process() {
        let news = Wake::default();
        let answer = async || Ok(());
        let slow = |found: fn() -> Result<(), Failure>| async move {
            sleep(Duration::from_secs(1)).await;
            found()
        };
        while_running(|| slow(|| Ok(())), answer(), &news).await.unwrap();
        for found in [|| Err(ended()), || Err(engine_down())] {
            while_running(|| slow(found), answer(), &news).await.unwrap_err();
        }
    }
}
