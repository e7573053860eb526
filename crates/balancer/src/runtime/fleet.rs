//! All balancers, brought to the same desired configuration.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_model::{EndpointState, Endpoints, InstanceId};
use orchestrator_runtime::metrics::Metrics;
use tokio::time::{Instant, sleep};

use super::{Balancer, Control, RuntimeFault, command, read, session};
use crate::actual::Actual;
use crate::config::{Files, Layout, write_files};
use crate::desired::Desired;
use crate::difference::{Difference, Reload, difference};
use crate::plan::{Material, Refused, plan};
use crate::pools::Pools;

/// How long HAProxy may take to read its files anew.
const RELOAD: Duration = Duration::from_secs(10);
/// How often it is asked meanwhile.
const POLL: Duration = Duration::from_millis(50);
/// How many times steps are planned anew in one turn.
const ROUNDS: usize = 4;

/// All balancers. What is known of one is forgotten when it is no longer named.
pub struct Fleet {
    layout: Layout,
    metrics: Metrics,
    pools: Pools,
    has_adopted: bool,
    /// What the balancers were brought to last, for as long as nothing else is desired.
    known: Option<Known>,
    /// The digest of the files that each has.
    written: BTreeMap<String, [u8; 32]>,
}

/// What is desired, and the files that say so.
struct Known {
    layout: Layout,
    desired: Desired,
    files: Arc<Files>,
}

/// What a turn has come to.
#[derive(Debug, Default)]
pub struct Turn {
    /// The snapshot that is in force in every balancer that serves; `None` when one of them could not be brought to it.
    pub applied: Option<u64>,
    /// The connections to instances that new ones do not lead to.
    pub connections: BTreeMap<InstanceId, u64>,
    /// Whether something is left that only time brings: a server that has connections.
    pub is_draining: bool,
    /// The routes that cannot be had.
    pub refused: Vec<Refused>,
    /// What failed, at most one failure a balancer.
    pub faults: Vec<RuntimeFault>,
}

/// What one balancer has come to.
struct Outcome {
    actual: Actual,
    is_draining: bool,
    old_workers: usize,
}

impl Fleet {
    /// No balancer is known yet. `spare` is how many spare backends of each kind a configuration has.
    pub fn new(layout: Layout, spare: u16, metrics: Metrics) -> Self {
        Self {
            layout,
            metrics,
            pools: Pools::new(spare),
            has_adopted: false,
            known: None,
            written: BTreeMap::new(),
        }
    }

    /// Other addresses or limits, from the next turn on.
    pub fn set_layout(&mut self, layout: Layout) {
        self.layout = layout;
    }

    /// Brings every balancer to what the endpoints ask for. A balancer that fails holds up no other.
    pub async fn turn(&mut self, endpoints: &Endpoints, material: &Material, balancers: &[Arc<dyn Balancer>]) -> Turn {
        self.written
            .retain(|name, _| balancers.iter().any(|one| one.name() == *name));
        if !self.has_adopted {
            for balancer in balancers {
                if let Ok(actual) = read::read(balancer.as_ref(), &self.layout).await {
                    self.pools.adopt(&actual, endpoints);
                    self.has_adopted = true;
                }
            }
        }
        let plan = plan(endpoints, material, std::mem::take(&mut self.pools));
        self.pools = plan.desired.pools.clone();
        let known = self.known(plan.desired);
        let mut turn = Turn {
            refused: plan.refused,
            ..Turn::default()
        };
        let one = Approach {
            layout: &self.layout,
            metrics: &self.metrics,
            desired: &known.desired,
            files: &known.files,
        };
        let digest = known.files.digest();
        let mut outcomes = Vec::new();
        for balancer in balancers {
            let is_written = self.written.get(&balancer.name()) == Some(&digest);
            outcomes.push((balancer, one.converge(balancer.clone(), is_written).await));
        }
        let mut is_applied = true;
        for (balancer, outcome) in outcomes {
            let name = balancer.name();
            match outcome {
                Ok(outcome) => {
                    self.written.insert(name, digest);
                    turn.is_draining |= outcome.is_draining || outcome.old_workers > 0;
                    count_connections(endpoints, &outcome, &mut turn.connections);
                }
                Err(fault) => {
                    self.written.remove(&name);
                    self.metrics.balancer_failed(fault.word());
                    turn.faults.push(fault);
                    // One that leads nobody anywhere yet, or no more, holds up nobody.
                    is_applied &= !balancer.serves();
                    if balancer.has_served() {
                        count_unknown(endpoints, &mut turn.connections);
                    }
                }
            }
        }
        turn.applied = is_applied.then_some(endpoints.index);
        self.known = Some(known);
        turn
    }

    /// What is desired now, with its files: those from before, unless something else is desired than the number of the
    /// snapshot. Most snapshots change no balancer, and while connections drain, there are turns without a snapshot.
    fn known(&mut self, desired: Desired) -> Known {
        let is_same = |known: &mut Known| {
            known.desired.index = desired.index;
            known.desired == desired && known.layout == self.layout
        };
        match self.known.take_if(is_same) {
            Some(known) => known,
            None => Known {
                files: Arc::new(write_files(&self.layout, &desired)),
                layout: self.layout.clone(),
                desired,
            },
        }
    }
}

/// Adds the connections of one balancer to what drains. What a worker that was replaced by a reload has cannot be counted
/// by server: while there is one, everything that drains counts as having one connection more.
fn count_connections(endpoints: &Endpoints, outcome: &Outcome, connections: &mut BTreeMap<InstanceId, u64>) {
    let members = endpoints.services.values().flat_map(|service| service.members.values());
    for member in members.filter(|member| member.state != EndpointState::Serving) {
        let servers = outcome.actual.servers.values().flatten();
        let of = servers.filter(|(name, _)| name.instance == member.instance);
        let mut sum: u64 = of.map(|(_, server)| server.sessions).sum();
        if member.state == EndpointState::Draining {
            sum += u64::from(outcome.old_workers > 0);
        }
        if sum > 0 {
            *connections.entry(member.instance).or_default() += sum;
        }
    }
}

/// A balancer did not say what it has: everything that drains counts as having one connection more.
fn count_unknown(endpoints: &Endpoints, connections: &mut BTreeMap<InstanceId, u64>) {
    let members = endpoints.services.values().flat_map(|service| service.members.values());
    for member in members.filter(|member| member.state == EndpointState::Draining) {
        *connections.entry(member.instance).or_default() += 1;
    }
}

/// What every balancer is brought to.
struct Approach<'a> {
    layout: &'a Layout,
    metrics: &'a Metrics,
    desired: &'a Desired,
    files: &'a Files,
}

impl Approach<'_> {
    async fn converge(&self, balancer: Arc<dyn Balancer>, is_written: bool) -> Result<Outcome, RuntimeFault> {
        let balancer = balancer.as_ref();
        if !is_written {
            let written = balancer.write(self.files).await;
            written.map_err(|cause| RuntimeFault::Write {
                balancer: balancer.name(),
                cause,
            })?;
        }
        let mut actual = read::read(balancer, self.layout).await?;
        let mut is_draining = false;
        for _ in 0..ROUNDS {
            match difference(&actual, self.desired, self.files.frame()) {
                Difference::Reload(reason) => actual = self.reload(balancer, reason).await?,
                Difference::Steps(steps) if steps.is_empty() => break,
                Difference::Steps(steps) => {
                    let mut is_changed = false;
                    is_draining = false;
                    for step in &steps {
                        let is_done = command::take(balancer, self.layout, step).await?;
                        self.metrics.balancer_step(is_done);
                        is_draining |= !is_done;
                        is_changed |= is_done;
                    }
                    actual = read::read(balancer, self.layout).await?;
                    if !is_changed {
                        break;
                    }
                }
            }
        }
        is_draining |= !matches!(
            difference(&actual, self.desired, self.files.frame()),
            Difference::Steps(steps) if steps.is_empty()
        ) || actual.servers.iter().any(|(id, servers)| {
            let wanted = self.desired.backends.get(id);
            let drains = |name| {
                wanted
                    .and_then(|wanted| wanted.servers.get(name))
                    .is_none_or(|server| server.state == crate::Use::Drain)
            };
            servers.keys().any(drains)
        });
        let old_workers = read::old_workers(balancer).await?;
        Ok(Outcome {
            actual,
            is_draining,
            old_workers,
        })
    }

    /// Has HAProxy read its files anew, and waits until the new ones are in force.
    async fn reload(&self, balancer: &dyn Balancer, reason: Reload) -> Result<Actual, RuntimeFault> {
        self.metrics.balancer_reloaded(reason.word());
        tracing::info!(balancer = %balancer.name(), reason = reason.word(), "balancer reads its files anew");
        session::ask(balancer, Control::Master, "reload", "read its files anew").await?;
        let until = Instant::now() + RELOAD;
        loop {
            // While workers change, one question may find none of them.
            if let Ok(actual) = read::read(balancer, self.layout).await
                && matches!(
                    difference(&actual, self.desired, self.files.frame()),
                    Difference::Steps(_)
                )
            {
                return Ok(actual);
            }
            if Instant::now() >= until {
                return Err(RuntimeFault::Reload {
                    balancer: balancer.name(),
                });
            }
            sleep(POLL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_made_and_their_digest_is_computed_once_for_what_is_desired() {
        let layout = Layout::new("/run/balancer").unwrap();
        let mut fleet = Fleet::new(layout, 1, Metrics::default());
        let files = |fleet: &mut Fleet, index, spare| {
            let desired = Desired {
                index,
                pools: Pools::new(spare),
                ..Desired::default()
            };
            let known = fleet.known(desired);
            assert_eq!(known.desired.index, index);
            fleet.known.insert(known).files.clone()
        };
        let first = files(&mut fleet, 1, 1);
        assert!(Arc::ptr_eq(&first, &files(&mut fleet, 1, 1)));
        assert!(
            Arc::ptr_eq(&first, &files(&mut fleet, 2, 1)),
            "only the snapshot is another"
        );
        let second = files(&mut fleet, 2, 9);
        assert!(!Arc::ptr_eq(&first, &second) && first.digest() != second.digest());
        let mut other = fleet.layout.clone();
        other.addresses.plain.set_port(8081);
        fleet.set_layout(other);
        let third = files(&mut fleet, 2, 9);
        assert!(!Arc::ptr_eq(&second, &third) && second.digest() != third.digest());
    }
}
