//! What comes of time passing: leases that end, history that is forgotten, spooled events, a clock that is set.

use std::time::Duration;

use super::{Context, storage};
use crate::causes::with_causes;
use crate::log_limit::LogLimit;
use crate::model::LeaseSource;
use crate::source::dnsmasq::{Intake, Spool};
use crate::store::Store;

/// A lease that is granted while another is waited for may end before it: look at least this often.
const EXPIRY_PERIOD: Duration = Duration::from_secs(1);
const SPOOL_PERIOD: Duration = Duration::from_secs(2);
const HISTORY_PERIOD: Duration = Duration::from_secs(3600);
const STORE_PERIOD: Duration = Duration::from_secs(2);
/// How often counts of lines that were held back are looked for: each is written at most this late.
const LOG_PERIOD: Duration = Duration::from_secs(5);
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
                    context.bell.ring_leased(&lease.link, lease.leased, None);
                    if !context.bell.is_silent(&lease.link) {
                        context.bell.ring(lease.client);
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

/// Shows whether the database answers.
pub(super) async fn watch_store(context: Context, store: Store) {
    loop {
        match store.ping().await {
            Ok(()) => context.conditions.set_ok(storage::CONDITION),
            Err(fault) => context.conditions.set_waiting(storage::CONDITION, with_causes(&fault)),
        }
        if !pause(&context, STORE_PERIOD).await {
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
