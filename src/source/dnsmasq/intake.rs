//! Takes events in: those that the hook hands over as they happen, and those that it left in the spool.

use super::{DnsmasqEvent, Handed, Spool, SpoolError, Spooled};
use crate::causes::with_causes;
use crate::metrics::Metrics;
use crate::model::{Clock, LeaseSource};
use crate::settings::Current;
use crate::source::Recorder;
use crate::store::StoreError;

/// Spooled events that are read at a time.
const PORTION: usize = 256;

/// Records what dnsmasq tells. A cheap handle.
#[derive(Clone)]
pub struct Intake {
    settings: Current,
    recorder: Recorder,
    clock: Clock,
    metrics: Metrics,
}

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// No link of that name.
    #[error("no link in the settings has the bridge {0:?}; dnsmasq served a lease on an interface that is not ours")]
    UnknownLink(String),
    /// The link has another lease source.
    #[error("link {0:?} has its own listener; set source = \"dnsmasq\" there, or keep dnsmasq off that bridge")]
    NotFromDnsmasq(String),
    /// It could not be recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntakeError {
    /// A stable word for counters and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownLink(_) => "unknown-link",
            Self::NotFromDnsmasq(_) => "not-from-dnsmasq",
            Self::Store(fault) => fault.code(),
        }
    }
}

impl Intake {
    /// An intake that records through `recorder`.
    pub fn new(settings: Current, recorder: Recorder, clock: Clock, metrics: Metrics) -> Self {
        Self {
            settings,
            recorder,
            clock,
            metrics,
        }
    }

    /// Records an event. When it returns, the event is durable.
    ///
    /// # Errors
    ///
    /// When the event is for no link of ours, or the store is away: it is not recorded then.
    pub async fn take(&self, event: DnsmasqEvent, handed: Handed) -> Result<(), IntakeError> {
        let outcome = match self.check(&event) {
            Ok(()) => self
                .recorder
                .record(vec![event.into_change(handed, &self.clock)])
                .await
                .map_err(IntakeError::from),
            Err(refusal) => Err(refusal),
        };
        if let Err(fault) = &outcome {
            self.metrics.lease_event_refused(fault.code());
            if let Some(held_back) = self.metrics.log_limit().admit(fault.code()) {
                tracing::warn!(
                    reason = with_causes(fault),
                    held_back,
                    "an event of dnsmasq was not recorded"
                );
            }
        }
        outcome
    }

    fn check(&self, event: &DnsmasqEvent) -> Result<(), IntakeError> {
        match self.settings.get().link(&event.interface) {
            None => Err(IntakeError::UnknownLink(event.interface.clone())),
            Some(link) if link.source != LeaseSource::Dnsmasq => {
                Err(IntakeError::NotFromDnsmasq(event.interface.clone()))
            }
            Some(_) => Ok(()),
        }
    }

    /// Records all that the hooks could not hand over, in the order in which they kept it.
    ///
    /// An event leaves the spool when it is recorded, or when it never can be. One that the store cannot take now stays,
    /// with all that come after it.
    ///
    /// # Errors
    ///
    /// When the spool cannot be read or emptied, or the store is away.
    pub async fn drain(&self, spool: &Spool) -> Result<(), DrainError> {
        loop {
            let portion = read(spool.clone()).await?;
            if portion.is_empty() {
                return Ok(());
            }
            for spooled in portion {
                match self.take(spooled.event.clone(), Handed::Spooled).await {
                    Err(IntakeError::Store(fault)) => return Err(DrainError::Store(fault)),
                    // Refused, and said so: it will be refused again.
                    Err(_) => {}
                    Ok(()) => self.metrics.spooled(),
                }
                remove(spool.clone(), spooled).await?;
            }
        }
    }
}

/// Why the spool could not be emptied.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// The spool itself.
    #[error("the spool of dnsmasq's events cannot be emptied")]
    Spool(#[source] SpoolError),
    /// The store.
    #[error("the spooled events of dnsmasq wait for the store")]
    Store(#[source] StoreError),
    /// The thread that reads the spool.
    #[error("the spool of dnsmasq's events was not read to its end")]
    Interrupted(#[source] tokio::task::JoinError),
}

async fn read(spool: Spool) -> Result<Vec<Spooled>, DrainError> {
    let portion = tokio::task::spawn_blocking(move || spool.pending(PORTION)).await;
    portion.map_err(DrainError::Interrupted)?.map_err(DrainError::Spool)
}

async fn remove(spool: Spool, spooled: Spooled) -> Result<(), DrainError> {
    let removed = tokio::task::spawn_blocking(move || spool.remove(spooled)).await;
    removed.map_err(DrainError::Interrupted)?.map_err(DrainError::Spool)
}
