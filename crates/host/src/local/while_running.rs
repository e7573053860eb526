//! Waiting for the answer of an instance for as long as its process runs.

use std::future::Future;
use std::time::Duration;

use tokio::pin;
use tokio::time::timeout;

use crate::EnsureFault;

/// How long an engine may take to notice that a process has ended.
const NOTICE: Duration = Duration::from_secs(2);
/// The pause before it is asked again whether it has.
const PACE: Duration = Duration::from_millis(50);

/// Waits for `answer`, and gives up as soon as `observe` finds that the process has ended.
///
/// `observe` is asked once at the start, side by side with the answer, unless the process `is_known` to run; then each time
/// that `news` returns, and once more when there was no answer, so that only an instance that runs is said to be left running.
///
/// # Errors
///
/// [`EnsureFault::Ended`] when the process has ended; what the first observation says otherwise; what `answer` says.
pub(super) async fn while_running<L, N>(
    is_known: bool,
    observe: impl Fn() -> L,
    answer: impl Future<Output = Result<(), EnsureFault>>,
    news: impl Fn() -> N,
) -> Result<(), EnsureFault>
where
    L: Future<Output = Result<(), EnsureFault>>,
    N: Future<Output = ()>,
{
    pin!(answer);
    if !is_known {
        let first = observe();
        pin!(first);
        tokio::select! {
            observed = &mut first => observed?,
            answered = &mut answer => {
                first.await?;
                return confirmed(answered, &observe).await;
            }
        }
    }
    let answered = tokio::select! {
        answered = answer => answered,
        ended = ends(&observe, &news) => Err(ended),
    };
    confirmed(answered, &observe).await
}

/// The end of a process, as far as its engine knows of one.
///
/// Without its namespace (`is_gone`) it has ended. An engine may not know so yet: it is asked again when there are `news`,
/// and from time to time.
pub(super) async fn seen_to_end<L, N>(
    is_gone: bool,
    observe: impl Fn() -> L,
    news: impl Fn() -> N,
) -> Option<EnsureFault>
where
    L: Future<Output = Result<(), EnsureFault>>,
    N: Future<Output = ()>,
{
    match observe().await {
        Err(ended @ EnsureFault::Ended { .. }) => return Some(ended),
        _ if !is_gone => return None,
        _ => {}
    }
    let told_or_late = || async {
        // Whichever comes first.
        let _ = timeout(PACE, news()).await;
    };
    timeout(NOTICE, ends(&observe, &told_or_late)).await.ok()
}

/// Looks at the process once more when there was no answer.
async fn confirmed<L>(answered: Result<(), EnsureFault>, observe: &impl Fn() -> L) -> Result<(), EnsureFault>
where
    L: Future<Output = Result<(), EnsureFault>>,
{
    match answered {
        Err(silent @ EnsureFault::Silent { .. }) => Err(confirm(silent, observe().await)),
        other => other,
    }
}

/// Returns when the process has ended. An engine that does not answer says nothing.
async fn ends<L, N>(observe: &impl Fn() -> L, news: &impl Fn() -> N) -> EnsureFault
where
    L: Future<Output = Result<(), EnsureFault>>,
    N: Future<Output = ()>,
{
    loop {
        news().await;
        if let Err(ended @ EnsureFault::Ended { .. }) = observe().await {
            return ended;
        }
    }
}

/// What is said of an instance that did not answer, after another observation at its process.
fn confirm(silent: EnsureFault, observed: Result<(), EnsureFault>) -> EnsureFault {
    match (observed, silent) {
        (Err(ended @ EnsureFault::Ended { .. }), _) => ended,
        (
            Err(_),
            EnsureFault::Silent {
                address,
                port,
                within,
                source,
                runs: _,
            },
        ) => EnsureFault::Silent {
            address,
            port,
            within,
            source,
            runs: false,
        },
        (_, silent) => silent,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use orchestrator_plugin::{ContainerKey, EngineError, InstanceId};
    use tokio::sync::Notify;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::NoAnswer;

    const WITHIN: Duration = Duration::from_secs(40);

    fn ended() -> EnsureFault {
        EnsureFault::Ended {
            container: ContainerKey::main(InstanceId::from_bytes([1; 6])),
            code: Some(7),
        }
    }

    fn engine_down() -> EnsureFault {
        EnsureFault::from(EngineError::Timeout {
            engine: "unix:///run/docker.sock".to_owned(),
            verb: "inspect",
            seconds: 30,
        })
    }

    async fn no_answer() -> Result<(), EnsureFault> {
        sleep(WITHIN).await;
        Err(EnsureFault::Silent {
            address: Ipv6Addr::LOCALHOST,
            port: 80,
            within: WITHIN,
            runs: true,
            source: NoAnswer::TimedOut,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_process_is_seen_with_the_news_and_not_when_the_time_is_over() {
        let (began, news, runs) = (Instant::now(), Notify::new(), AtomicBool::new(true));
        let observe = async || match runs.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err(ended()),
        };
        let engine = async {
            sleep(Duration::from_secs(2)).await;
            // The client renews its lease, say: news of something else.
            news.notify_one();
            sleep(Duration::from_secs(1)).await;
            runs.store(false, Ordering::Relaxed);
            news.notify_one();
        };
        let (outcome, ()) = tokio::join!(while_running(false, observe, no_answer(), || news.notified()), engine);
        assert!(
            matches!(outcome, Err(EnsureFault::Ended { code: Some(7), .. })),
            "{outcome:?}"
        );
        assert_eq!(began.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_ended_without_news_is_not_said_to_be_left_running() {
        let (news, times) = (Notify::new(), AtomicU32::new(0));
        let observe = async || match times.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(ended()),
        };
        let outcome = while_running(false, observe, no_answer(), || news.notified()).await;
        assert!(matches!(outcome, Err(EnsureFault::Ended { .. })), "{outcome:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_goes_away_ends_no_wait_and_leaves_open_what_runs() {
        let (began, news, times) = (Instant::now(), Notify::new(), AtomicU32::new(0));
        let observe = async || match times.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(engine_down()),
        };
        news.notify_one();
        let outcome = while_running(false, observe, no_answer(), || news.notified()).await;
        assert_eq!(began.elapsed(), WITHIN);
        let unknown = matches!(outcome, Err(EnsureFault::Silent { runs: false, .. }));
        assert!(unknown, "{outcome:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_was_seen_already_is_not_asked_for_before_its_answer_counts() {
        let (news, times) = (Notify::new(), AtomicU32::new(0));
        let observe = async || {
            times.fetch_add(1, Ordering::Relaxed);
            Err(ended())
        };
        while_running(true, observe, async { Ok(()) }, || news.notified())
            .await
            .unwrap();
        assert_eq!(times.load(Ordering::Relaxed), 0);
        news.notify_one();
        let outcome = while_running(true, observe, no_answer(), || news.notified()).await;
        assert!(matches!(outcome, Err(EnsureFault::Ended { .. })), "{outcome:?}");
        assert_eq!(times.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_counts_only_when_the_first_found_the_process() {
        let news = Notify::new();
        let answer = async || Ok(());
        let slow = |found: fn() -> Result<(), EnsureFault>| async move {
            sleep(Duration::from_secs(1)).await;
            found()
        };
        while_running(false, || slow(|| Ok(())), answer(), || news.notified())
            .await
            .unwrap();
        for found in [|| Err(ended()), || Err(engine_down())] {
            while_running(false, || slow(found), answer(), || news.notified())
                .await
                .unwrap_err();
        }
    }

    /// A process that its engine takes for running this many times.
    async fn seen_after(times: u32, is_gone: bool, news: &Notify) -> Option<EnsureFault> {
        let asked = AtomicU32::new(0);
        let observe = async || match asked.fetch_add(1, Ordering::Relaxed) < times {
            true => Ok(()),
            false => Err(ended()),
        };
        seen_to_end(is_gone, observe, || news.notified()).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_without_its_namespace_has_ended_once_its_engine_notices() {
        let is_end = |seen| matches!(seen, Some(EnsureFault::Ended { code: Some(7), .. }));
        let news = Notify::new();
        let began = Instant::now();
        assert!(is_end(seen_after(0, false, &news).await));
        assert!(!is_end(seen_after(1, false, &news).await), "something else is wrong");
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(is_end(seen_after(3, true, &news).await), "without news");
        assert_eq!(began.elapsed(), PACE * 3);
        news.notify_one();
        assert!(is_end(seen_after(1, true, &news).await));
        assert_eq!(began.elapsed(), PACE * 3, "by news, at once");
        assert!(!is_end(seen_after(u32::MAX, true, &news).await), "not for ever");
    }
}
