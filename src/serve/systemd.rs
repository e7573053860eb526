//! Reports the state of the daemon to systemd, if systemd asked for it.

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

/// The API answers: what else is not there yet is waited for.
pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Other settings are being read: [`ready`] says that it is done with.
pub(super) fn reloading() {
    // Both in one message, or systemd takes neither.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(fault) => untold(&fault),
    }
}

/// The daemon is draining.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Says that the runtime still turns, twice in each watchdog interval.
pub(super) async fn watchdog(stop: CancellationToken) {
    let Some(interval) = sd_notify::watchdog_enabled() else {
        return;
    };
    loop {
        notify(&[NotifyState::Watchdog]);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval / 2) => {}
        }
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(fault) = sd_notify::notify(states) {
        untold(&fault);
    }
}

fn untold(fault: &std::io::Error) {
    tracing::debug!(error = fault as &dyn std::error::Error, "could not report to systemd");
}
