//! Brings the packet filter to what the policy is to be.

use std::collections::BTreeSet;

use orchestrator_network::{Filter, FilterElement, NetworkError};

use super::book::{Book, Reason};
use super::repairs::{Repairs, Written};
use crate::local::LocalHost;
use crate::{
    Applied, Cause, HostError, NetworkChange, NetworkItem, NetworkKey, NetworkPart, PolicyItem, PolicyKey,
    RebuildReason,
};

/// The packet filter, and what it was brought to.
#[derive(Default)]
pub(in crate::local) struct PolicyState {
    pub(super) opened: Option<Opened>,
    pub(super) generation: Option<u64>,
    pub(super) repairs: Repairs,
}

/// A packet filter in use.
pub(super) struct Opened {
    pub(super) filter: Filter,
    pub(super) book: Book,
}

impl LocalHost {
    /// The filter of this site. The bridges of the machine are read when it is opened.
    pub(super) async fn open_policy<'s>(&self, state: &'s mut PolicyState) -> Result<&'s mut Opened, Cause> {
        if state.opened.is_none() {
            let filter = self.open_filter().await?;
            let mut book = Book::new(self.alias_prefix());
            book.set_segments(self.network().segments().await?);
            state.opened = Some(Opened { filter, book });
        }
        state.opened.as_mut().ok_or(Cause::Unheeded)
    }

    /// Removes the rules, also those of an earlier daemon. Returns whether there were some.
    pub(in crate::local) async fn remove_rules(&self, state: &mut PolicyState) -> Result<bool, Cause> {
        state.generation = None;
        let Some(opened) = &mut state.opened else {
            return Ok(self.open_filter().await?.remove().await?);
        };
        opened.book.take_in(&[], None);
        opened.book.delta();
        Ok(opened.filter.remove().await?)
    }

    pub(in crate::local) async fn open_filter(&self) -> Result<Filter, Cause> {
        Ok(self.network().filter(&self.inner.mark.site.to_string()).await?)
    }

    pub(in crate::local) async fn apply_policy(
        &self,
        from: u64,
        to: u64,
        change: &NetworkChange,
    ) -> Result<Applied, HostError> {
        let failed = |subject: String, source: Cause| HostError::Apply {
            host: self.inner.name.clone(),
            subject,
            source,
        };
        let mut state = self.inner.policy.lock().await;
        let (set, remove) = match change {
            NetworkChange::Difference { .. } if state.generation != Some(from) => {
                return Ok(Applied::NeedsWhole { at: state.generation });
            }
            NetworkChange::Difference { set, remove } => (set, Some(remove)),
            NetworkChange::Whole(set) => (set, None),
        };
        // A change that failed half-way is at no generation. Then only the whole is accepted.
        state.generation = None;
        let part = || NetworkPart::Policy.to_string();
        if remove.is_none() && set.is_empty() {
            self.remove_rules(&mut state)
                .await
                .map_err(|fault| failed(part(), fault))?;
            state.generation = Some(to);
            return Ok(Applied::Done);
        }
        let opened = self
            .open_policy(&mut state)
            .await
            .map_err(|fault| failed(part(), fault))?;
        let mut fault = opened.book.take_in(set, remove);
        let written = match remove {
            Some(_) => opened.write().await,
            None => opened.rewrite().await,
        };
        match written {
            Ok(written) => state.repairs.wrote(written),
            Err((key, refused)) => drop(fault.get_or_insert((key, refused))),
        }
        match fault {
            Some((subject, source)) => Err(failed(subject, source.into())),
            None => {
                state.generation = Some(to);
                Ok(Applied::Done)
            }
        }
    }
}

impl LocalHost {
    /// The elements that these items make on this machine.
    pub(in crate::local) async fn elements_of(&self, items: &[PolicyItem]) -> Result<BTreeSet<FilterElement>, Cause> {
        let mut book = Book::new(self.alias_prefix());
        book.set_segments(self.network().segments().await?);
        let items: Vec<NetworkItem> = items.iter().cloned().map(NetworkItem::Policy).collect();
        match book.take_in(&items, None) {
            Some((_, fault)) => Err(fault.into()),
            None => Ok(book.elements()),
        }
    }

    /// Restores rules and elements that somebody changed, as the policy was applied last. The next change has to be the
    /// whole. Returns what was done; `None` where no policy was applied, or nothing was wrong.
    pub(in crate::local) async fn restore_policy(&self) -> Result<Option<String>, Cause> {
        let mut state = self.inner.policy.lock().await;
        state.generation = None;
        let Some(opened) = state
            .opened
            .as_mut()
            .filter(|opened| opened.book.keys().next().is_some())
        else {
            return Ok(None);
        };
        let repair = opened.filter.ensure(&opened.book.elements()).await?;
        if !repair.loaded && repair.elements == 0 {
            return Ok(None);
        }
        state.repairs.count(RebuildReason::Foreign);
        let rules = if repair.loaded { "loaded the rules, and " } else { "" };
        Ok(Some(format!(
            "{rules}changed {} elements of the packet filter",
            repair.elements
        )))
    }
}

type Refused = (String, NetworkError);

impl Book {
    /// Sets items and removes others; all others where `remove` is `None`. Returns the first that cannot be.
    fn take_in(&mut self, set: &[NetworkItem], remove: Option<&Vec<NetworkKey>>) -> Option<Refused> {
        let items = || {
            set.iter().filter_map(|item| match item {
                NetworkItem::Policy(item) => Some(item),
                NetworkItem::Bridge(_) | NetworkItem::Route(_) => None,
            })
        };
        let wanted: BTreeSet<PolicyKey> = items().map(PolicyItem::key).collect();
        let gone: Vec<PolicyKey> = match remove {
            None => self.keys().cloned().collect(),
            Some(keys) => keys
                .iter()
                .filter_map(|key| match key {
                    NetworkKey::Policy(key) => Some(key.clone()),
                    _ => None,
                })
                .collect(),
        };
        for key in gone.iter().filter(|key| !wanted.contains(key)) {
            self.remove(key);
        }
        let mut refused = None;
        for item in items() {
            if let Err(fault) = self.set(item.clone()) {
                refused.get_or_insert((item.key().to_string(), fault));
            }
        }
        refused
    }
}

impl Opened {
    /// Writes what changed since the last time. Where the kernel refuses that, all is compared.
    pub(super) async fn write(&mut self) -> Result<Written, Refused> {
        let delta = self.book.delta();
        match self.filter.change(delta.remove, delta.add).await {
            Ok(()) => Ok(Written::Difference),
            Err(_diverged) => self.rewrite().await.map(|_| Written::Diverged),
        }
    }

    /// Compares all with what is there, and writes what is different.
    pub(super) async fn rewrite(&mut self) -> Result<Written, Refused> {
        let delta = self.book.delta();
        let expected = delta.remove.len() + delta.add.len();
        match self.filter.ensure(&self.book.elements()).await {
            Ok(repair) => Ok(Written::Whole {
                surprise: repair.loaded || repair.elements > expected,
            }),
            Err(fault @ (NetworkError::NotPermitted { .. } | NetworkError::NoFilter { .. })) => {
                Err((NetworkPart::Policy.to_string(), fault))
            }
            Err(fault) => Err(self.salvage(fault).await),
        }
    }

    /// Writes each item by itself, so that one that the kernel refuses keeps no other from coming into force. The item is
    /// forgotten.
    async fn salvage(&mut self, all: NetworkError) -> Refused {
        match self.write_each().await {
            Ok(first) => first.unwrap_or_else(|| (NetworkPart::Policy.to_string(), all)),
            Err(fault) => (NetworkPart::Policy.to_string(), fault),
        }
    }

    /// Writes each item by itself. Returns the first that the kernel refuses.
    async fn write_each(&mut self) -> Result<Option<Refused>, NetworkError> {
        let found = self.filter.elements().await?;
        let wanted = self.book.elements();
        let surplus: Vec<FilterElement> = found.difference(&wanted).cloned().collect();
        self.filter.change(surplus, Vec::new()).await?;
        let mut there: BTreeSet<FilterElement> = found.intersection(&wanted).cloned().collect();
        let mut refused = Vec::new();
        for (reason, elements) in self.book.made() {
            let missing: Vec<FilterElement> = elements.iter().filter(|one| !there.contains(*one)).cloned().collect();
            match self.filter.change(Vec::new(), missing).await {
                Ok(()) => there.extend(elements.iter().cloned()),
                Err(fault) => refused.push((reason.clone(), fault)),
            }
        }
        let mut first = None;
        for (reason, fault) in refused {
            if let Reason::Item(key) = reason {
                self.book.remove(&key);
                first.get_or_insert((key.to_string(), fault));
            }
        }
        // What the forgotten items shared with others stays: only what nobody else has goes.
        let delta = self.book.delta();
        let gone = delta
            .remove
            .into_iter()
            .filter(|element| there.contains(element))
            .collect();
        self.filter.change(gone, Vec::new()).await?;
        Ok(first)
    }
}
