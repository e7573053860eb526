//! What comes of time passing: leases that end, history that is forgotten, spooled events, a clock that is set.

use std::time::Duration;

use super::{Context, storage};
use orchestrator_model::LeaseSource;
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::log_limit::LogLimit;
use orchestrator_source::dnsmasq::{Intake, Spool};
use orchestrator_store::{Store, StoreError};

/// A lease that is granted while another is waited for may end before it: look at least this often.
const EXPIRY_PERIOD: Duration = Duration::from_secs(1);
const SPOOL_PERIOD: Duration = Duration::from_secs(2);
const HISTORY_PERIOD: Duration = Duration::from_secs(3600);
/// Between two commits that only ask whether the database takes them.
const STORE_PERIOD: Duration = Duration::from_secs(2);
/// How often counts of lines that were held back are looked for: each is written at most this late.
const LOG_PERIOD: Duration = Duration::from_secs(5);
/// Between two looks whether the database's file is still in its place.
const FILE_PERIOD: Duration = Duration::from_millis(500);
/// Between two looks for damage in the whole database.
const EXAMINE_PERIOD: Duration = Duration::from_secs(24 * 3600);
const CLOCK_PERIOD: Duration = Duration::from_secs(10);
/// A wall clock that is further off than this was set, not slewed.
const CLOCK_STEP: i64 = 5_000;

/// Waits; `false` when the daemon is to stop.
async fn pause(context: &Context, span: Duration) -> bool {
    tokio::select! {
        () = context.stop.cancelled() => false,
        () = tokio::time::sleep(span) => true,
    }
}

/// Ends each lease when its valid lifetime ends.
pub(super) async fn expire_leases(context: Context, store: Store) {
    loop {
        match store.expire_leases(context.clock.now()).await {
            Ok(leases) => {
                for lease in leases {
                    tracing::info!(client = %lease.client, leased = %lease.leased, link = lease.link, "lease expired");
                    context.metrics.lease_event("expired");
                    context.notifications.notify_leased(&lease.link, lease.leased, None);
                    if !context.notifications.is_muted(&lease.link) {
                        context.notifications.notify(lease.client);
                    }
                }
            }
            // The condition says that the database is away, and since when.
            Err(fault) if fault.is_away() => tracing::debug!(reason = with_causes(&fault), "could not end leases"),
            Err(fault) => tracing::warn!(reason = with_causes(&fault), "could not end leases"),
        }
        let next = store.next_lease_due().await.ok().flatten();
        let until = next.map_or(EXPIRY_PERIOD, |due| due.since(context.clock.now()).min(EXPIRY_PERIOD));
        // A moment after the end: an end that is this very millisecond has not passed yet.
        if !pause(&context, until + Duration::from_millis(1)).await {
            return;
        }
    }
}

/// Forgets what is older than the settings ask to remember.
pub(super) async fn forget_history(context: Context, store: Store) {
    loop {
        let before = context.clock.now().minus(context.settings.get().store.history);
        match store.prune(before).await {
            Ok(pruned) => tracing::debug!(?pruned, "forgot old history"),
            Err(fault) => tracing::warn!(reason = with_causes(&fault), "could not forget old history"),
        }
        if !pause(&context, HISTORY_PERIOD).await {
            return;
        }
    }
}

/// Shows whether the database answers, takes commits, and is still the one that was opened.
pub(super) async fn watch_store(context: Context, store: Store) {
    let mut shown = None;
    loop {
        show_store(&context, store.ping().await, &mut shown);
        let asked = tokio::time::Instant::now();
        while asked.elapsed() < STORE_PERIOD {
            if !pause(&context, FILE_PERIOD).await {
                return;
            }
            if let Err(fault) = store.is_in_place() {
                show_store(&context, Err(fault), &mut shown);
            }
        }
    }
}

/// `shown` is the code of the fault that the log has last.
fn show_store(context: &Context, looked: Result<(), StoreError>, shown: &mut Option<&'static str>) {
    let Err(fault) = looked else {
        *shown = None;
        return context.conditions.set_ok(storage::CONDITION);
    };
    let (code, reason) = (fault.code(), with_causes(&fault));
    context.metrics.store_failed(code);
    if !fault.is_away() && shown.replace(code) != Some(code) {
        tracing::error!(code, reason, "no lease is confirmed");
    }
    context.conditions.set_waiting(storage::CONDITION, reason);
}

/// Looks for damage in the whole database at the start, and once a day.
pub(super) async fn examine_store(context: Context, store: Store) {
    loop {
        match store.examine().await {
            Ok(()) => tracing::debug!("no damage was found in the database"),
            // Whoever watches the store says so.
            Err(fault) => tracing::debug!(reason = with_causes(&fault), "the database could not be examined"),
        }
        if !pause(&context, EXAMINE_PERIOD).await {
            return;
        }
    }
}

/// Records the events that the hook could not hand over, in their order.
///
/// Why they wait is logged once for each reason, and that they no longer do.
pub(super) async fn drain_spool(context: Context, intake: Intake) {
    let mut spool = Spool::new(&context.settings.get().source.dnsmasq.spool);
    let mut waiting = None;
    loop {
        let settings = context.settings.get();
        if spool.directory() != settings.source.dnsmasq.spool {
            spool = Spool::new(&settings.source.dnsmasq.spool);
        }
        let hooked = settings.links.iter().any(|link| link.source == LeaseSource::Dnsmasq);
        if hooked {
            let drained = tokio::select! {
                // What is under way stays in the spool, and is recorded once more at the next start.
                () = context.stop.cancelled() => return,
                drained = intake.drain(&spool) => drained,
            };
            let reason = drained.err().map(|fault| with_causes(&fault));
            match &reason {
                Some(reason) if waiting.as_ref() != Some(reason) => tracing::warn!(reason, "spooled events wait"),
                None if waiting.is_some() => tracing::info!("spooled events wait no longer"),
                _ => {}
            }
            waiting = reason;
        }
        if !pause(&context, SPOOL_PERIOD).await {
            return;
        }
    }
}

/// Writes how many lines of each kind were held back, once a minute while there are any.
pub(super) async fn count_held_back_lines(context: Context) {
    while pause(&context, LOG_PERIOD).await {
        write_held_back(context.metrics.log_limit());
    }
}

fn write_held_back(limit: &LogLimit) {
    for (kind, held_back) in limit.take_due() {
        tracing::warn!(
            kind,
            held_back,
            "more lines of this kind were held back since the last one"
        );
    }
}

/// Says when somebody set the wall clock: lifetimes go on by the daemon's own, times are shown by it.
pub(super) async fn watch_wall_clock(context: Context) {
    let mut known = 0;
    while pause(&context, CLOCK_PERIOD).await {
        let offset = context.clock.wall_offset();
        if (offset - known).abs() > CLOCK_STEP {
            tracing::warn!(
                offset_ms = offset,
                "the wall clock was set; leases keep the lifetimes that clients were promised, and times are shown by the daemon's own clock until it restarts"
            );
            known = offset;
        }
    }
}
