//! The record of what is promised and paused.

use orchestrator_model::{Pause, PauseScope, Share};
use orchestrator_store::Promise;

use super::*;

impl State {
    pub(super) fn promises(&self, since: Timestamp) -> Vec<Promise> {
        let is_meant = |one: &&Instance| one.phase != Phase::Removed || one.created > since;
        let mut all: Vec<&Instance> = self.instances.values().filter(is_meant).collect();
        all.sort_by_key(|one| (one.phase == Phase::Removed, one.created, one.id));
        let promise = |one: &Instance| {
            let share = self.shares.get(&one.id).cloned().unwrap_or_default();
            Promise {
                id: one.id,
                key: one.key(),
                host: one.host.clone(),
                engine: one.engine().to_owned(),
                template: one.template.clone(),
                spec: one.spec.clone(),
                share: Share {
                    link: one.link().to_owned(),
                    ..share
                },
                is_live: one.phase != Phase::Removed,
                created: one.created,
            }
        };
        all.into_iter().map(promise).collect()
    }

    pub(super) fn pause(&mut self, pause: Pause) -> bool {
        let is_new = !self.pauses.contains_key(&pause.scope);
        if is_new {
            self.pauses.insert(pause.scope.clone(), pause);
        }
        is_new
    }

    pub(super) fn resume(&mut self, scope: &PauseScope) -> bool {
        self.pauses.remove(scope).is_some()
    }
}
