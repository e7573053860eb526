//! Idle limits: ends instances that had no traffic for as long as their template allows.
//!
//! ```text
//!   every 5 s: instances that are ready and have a limit ──▶ their hosts' counts ──▶ judge ──┬─▶ recorded count
//!                                                                                            ├─▶ warning
//!                                                                                            └─▶ end
//! ```
//!
//! - The host counts packets that passed between clients and an instance: no neighbour discovery, no multicast, nothing
//!   that the host itself sends.
//! - A count is recorded with the time at which it last changed, so that a restart of the daemon neither ends an instance
//!   that was used meanwhile nor gives one a new limit that was not.
//! - What cannot be counted is not idle: no limit ends an instance whose host does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_host::{HostCapability, PolicyCounts};

use super::Orchestrator;
use crate::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_model::{Expiry, HostId, Instance, InstanceId, TimeChange, Timestamp};
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::StoreError;

/// The time between two looks at the counts. The shortest limit is not much longer.
const PERIOD: Duration = Duration::from_secs(5);

/// The pause after the first look that failed.
const RETRY: Duration = Duration::from_secs(1);

/// What a count says of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing new.
    Quiet,
    /// The count is another one.
    Counted {
        /// Packets, as the host counts them.
        packets: u64,
        /// Whether that shows traffic. The first count of an instance shows none.
        active: bool,
    },
    /// Its limit ends soon, which nobody has announced yet.
    Warn(Timestamp),
    /// Its limit is over.
    Over,
}

/// Judges an instance by the present count of its packets.
fn judge(instance: &Instance, packets: u64, warn: Duration, now: Timestamp) -> Verdict {
    let times = &instance.times;
    if times.packets != Some(packets) {
        // A count that fell began anew. What was counted before that is not known, so that it counts as traffic.
        let active = times.packets.is_some();
        return Verdict::Counted { packets, active };
    }
    let Some(until) = instance.idle_until().filter(|_| times.pinned.is_none()) else {
        return Verdict::Quiet;
    };
    let announced = warn.is_zero() || times.warned.is_some_and(|warned| warned >= until);
    match until {
        until if until <= now => Verdict::Over,
        until if !announced && until.minus(warn) <= now => Verdict::Warn(until),
        _ => Verdict::Quiet,
    }
}

/// The packets of an instance over all of its attachments.
fn packets(instance: &Instance, counts: &PolicyCounts) -> u64 {
    let used = |name: String| counts.used.get(&name).map_or(0, |count| count.packets);
    instance.attachments.iter().map(|one| used(one.host_end())).sum()
}

/// Judges all instances with an idle limit, again and again.
struct Idle {
    orchestrator: Orchestrator,
}

impl Orchestrator {
    /// Counts packets until the daemon stops.
    pub(super) fn register_idle(&self) {
        let registration = Registration::new("idle limits", "ends instances that had no traffic for too long")
            .every(PERIOD)
            .retrying(Backoff::new(RETRY, Duration::from_secs(60)));
        let idle = Idle {
            orchestrator: self.clone(),
        };
        self.inner.driver.register(registration, idle);
    }

    /// The counts of each of these hosts, and the hosts that do not count, with the reason.
    async fn counts(&self, hosts: BTreeSet<HostId>) -> (BTreeMap<HostId, PolicyCounts>, Vec<String>) {
        let (mut counts, mut silent) = (BTreeMap::new(), Vec::new());
        for id in hosts {
            let Some(host) = self.inner.hosts.get(&id) else {
                continue;
            };
            if !host.capabilities().host.contains(&HostCapability::Policy) {
                silent.push(format!(
                    "host {id} does not count packets, so that no idle limit ends its instances"
                ));
                continue;
            }
            match host.policy_counts().await {
                Ok(counted) => drop(counts.insert(id, counted)),
                Err(fault) => silent.push(with_causes(&fault)),
            }
        }
        (counts, silent)
    }

    /// Judges every instance with an idle limit once. Returns what could not be counted.
    async fn judge_idle(&self) -> Result<Vec<String>, StoreError> {
        let limited = self.inner.records.idle_limited_instances().await?;
        let hosts = limited.iter().filter_map(|instance| instance.host.clone()).collect();
        let (counts, silent) = self.counts(hosts).await;
        let now = self.inner.clock.now();
        let (mut changed, mut others) = (Vec::new(), Vec::new());
        for instance in &limited {
            let Some(counted) = instance.host.as_ref().and_then(|host| counts.get(host)) else {
                continue;
            };
            let terms = self.terms(Some(instance));
            match judge(instance, packets(instance, counted), terms.warn, now) {
                Verdict::Quiet => {}
                Verdict::Counted { packets, active } => changed.push((instance.id, packets, active)),
                Verdict::Warn(until) => others.push((instance.id, TimeChange::Warn(until))),
                Verdict::Over => others.push((
                    instance.id,
                    TimeChange::Expire {
                        expiry: Expiry::Idle,
                        keep: terms.keep,
                    },
                )),
            }
        }
        self.inner.records.count_traffic(changed, now).await?;
        for (id, change) in others {
            self.end_or_warn(id, change).await?;
        }
        Ok(silent)
    }

    /// Somebody may have changed the times of the instance meanwhile: then it is judged again.
    async fn end_or_warn(&self, id: InstanceId, change: TimeChange) -> Result<(), StoreError> {
        match self.change_times(id, change, None).await {
            Ok(_) | Err(StoreError::Time { .. } | StoreError::NoSuchInstance(_)) => Ok(()),
            Err(fault) => Err(fault),
        }
    }
}

#[async_trait]
impl Reconciler for Idle {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let silent = self.orchestrator.judge_idle().await;
        let silent = silent.map_err(|fault| Failure::of(&fault))?;
        match silent.is_empty() {
            true => Ok(Next::Wait),
            false => Err(silent.join("; ").into()),
        }
    }
}

#[cfg(test)]
#[path = "idle_tests.rs"]
mod tests;
