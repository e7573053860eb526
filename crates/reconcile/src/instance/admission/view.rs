//! What is promised and who waits, for operators.

use orchestrator_catalog::{Declared, Template};
use orchestrator_model::{HostId, HostUse, LimitsView, LinkUse, Pause, Timestamp, Used, WaitingView};
use orchestrator_settings::LinkLimits;

use super::limits::{HostLimits, Limits};
use super::{Admission, Waiting};

impl Admission {
    /// What is used of each limit.
    pub(super) fn view(&self, declared: &Declared, limits: &Limits, paused: Vec<Pause>) -> LimitsView {
        let host = |(id, limits): (&HostId, &HostLimits)| {
            let sum = self.usage.hosts.of(id);
            HostUse {
                host: id.to_string(),
                instances: used(sum.instances, limits.instances),
                memory: used(sum.size.memory, limits.memory),
                millicpus: used(sum.size.millicpus, limits.millicpus),
                pids: used(sum.size.pids, limits.pids),
                disk: used(sum.size.disk, limits.disk),
            }
        };
        let link = |(name, limits): (&String, &LinkLimits)| LinkUse {
            link: name.clone(),
            instances: used(self.usage.links.of(name).instances, limits.instances),
            creations: used(self.recent.links.of(name).instances, limits.creations),
        };
        let template = |one: &Template| {
            let live = self.usage.templates.of(&one.name).instances;
            (one.name.clone(), used(live, one.settings.instances))
        };
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        LimitsView {
            hosts: limits.hosts.iter().map(host).collect(),
            links: limits.links.iter().map(link).collect(),
            templates: declared.templates().map(template).collect(),
            waiting: used(number(self.queue.len()), Some(number(limits.queue))),
            paused,
        }
    }

    /// All that wait, in the order of their turns.
    pub(super) fn waiting(&self, now: Timestamp) -> Vec<WaitingView> {
        let view = |(place, expected, waiting): (usize, _, &Waiting)| {
            let request = &waiting.request;
            WaitingView {
                key: request.key.clone(),
                template: request.claim.template.clone(),
                share: request.claim.share.clone(),
                since: request.since,
                place: u64::try_from(place).unwrap_or(u64::MAX),
                expected,
                code: waiting.block.code(),
                reason: waiting.block.to_string(),
            }
        };
        self.places(now).map(view).collect()
    }
}

const fn used(used: u64, limit: Option<u64>) -> Used {
    Used { used, limit }
}
