//! The claims of recorded instances, kept while others read what is recorded.
//!
//! Instances are recorded and removed while the full pass reads them. What happened since the reading began is kept, and
//! done again to what was read.

use std::collections::HashMap;
use std::time::Duration;

use orchestrator_model::{InstanceId, SlotKey, Timestamp};
use orchestrator_store::Promise;

use super::claim::Claim;

/// How long a record may be on its way whose outcome nobody saw. The store answers much sooner.
const DOUBT: Duration = Duration::from_secs(60);

/// A recorded instance.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) key: SlotKey,
    pub(super) claim: Claim,
    pub(super) created: Timestamp,
}

/// What happened to a recorded instance while the record was read.
#[derive(Debug, Clone)]
enum News {
    Recorded(InstanceId, Box<Held>),
    Removed(InstanceId),
}

/// The claims of recorded instances.
#[derive(Debug, Default)]
pub(super) struct Holders {
    all: HashMap<InstanceId, Held>,
    /// Instances of which nobody knows whether they were recorded, and since when.
    doubtful: HashMap<InstanceId, Timestamp>,
    /// What happened since the reading began that is under way.
    news: Option<Vec<News>>,
}

impl Holders {
    pub(super) fn values(&self) -> impl Iterator<Item = &Held> {
        self.all.values()
    }

    /// An instance was recorded. `doubt` is the present time if nobody knows whether it was.
    pub(super) fn recorded(&mut self, id: InstanceId, held: Held, doubt: Option<Timestamp>) {
        if let Some(news) = &mut self.news {
            news.push(News::Recorded(id, Box::new(held.clone())));
        }
        self.all.insert(id, held);
        self.doubtful.extend(doubt.map(|since| (id, since)));
    }

    /// An instance was removed.
    pub(super) fn removed(&mut self, id: InstanceId) -> Option<Held> {
        if let Some(news) = &mut self.news {
            news.push(News::Removed(id));
        }
        self.doubtful.remove(&id);
        self.all.remove(&id)
    }

    /// From now on the record is read.
    pub(super) fn begin_reading(&mut self) {
        self.news = Some(Vec::new());
    }

    /// Takes in what was read since [`begin_reading`](Self::begin_reading). Returns what was recorded meanwhile, in order.
    pub(super) fn finish_reading(&mut self, promises: &[Promise], now: Timestamp) -> Vec<Held> {
        let before = std::mem::take(&mut self.all);
        for promise in promises.iter().filter(|promise| promise.is_live) {
            self.doubtful.remove(&promise.id);
            let held = Held {
                key: promise.key.clone(),
                claim: Claim::from(promise),
                created: promise.created,
            };
            self.all.insert(promise.id, held);
        }
        self.doubtful.retain(|_, since| now.since(*since) < DOUBT);
        for (id, held) in before {
            if self.doubtful.contains_key(&id) {
                self.all.insert(id, held);
            }
        }
        let mut recorded = Vec::new();
        for news in self.news.take().unwrap_or_default() {
            match news {
                News::Recorded(id, held) => {
                    if self.all.insert(id, (*held).clone()).is_none() {
                        recorded.push(*held);
                    }
                }
                News::Removed(id) => {
                    self.all.remove(&id);
                }
            }
        }
        recorded
    }
}
