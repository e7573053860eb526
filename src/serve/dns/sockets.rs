//! Keeps sockets open at every place where queries are to be answered.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_dns::serve::{Parts, Place, Sockets};
use orchestrator_network::listeners;
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::conditions::Owned;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::places::wanted;
use crate::serve::Context;

/// The condition under which the server is shown.
const CONDITION: &str = "dns";
/// How often the bridges are compared with the sockets.
const PERIOD: Duration = Duration::from_secs(5);
/// The longest wait before a socket is tried again that could not be opened.
const PAUSE: Duration = Duration::from_secs(2);
/// The wait after a notification: what comes with it is looked at once.
const GATHER: Duration = Duration::from_millis(50);

/// The sockets of all places.
pub(super) struct Faces {
    context: Context,
    interfaces_changed: watch::Receiver<()>,
    /// Whether names are known. No query is answered before.
    is_read: watch::Receiver<bool>,
    parts: Parts,
    open: HashMap<Place, Open>,
    /// Held while there is a place.
    condition: Option<Owned>,
}

/// Sockets that are served.
struct Open {
    stop: CancellationToken,
    task: TaskTracker,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Faces {
    pub(super) fn new(
        context: Context,
        interfaces_changed: watch::Receiver<()>,
        is_read: watch::Receiver<bool>,
        parts: Parts,
    ) -> Self {
        Self {
            context,
            interfaces_changed,
            is_read,
            parts,
            open: HashMap::new(),
            condition: None,
        }
    }

    pub(super) fn registration() -> Registration {
        Registration::new("dns", "answers DNS queries of clients and instances on every link")
            .following_settings()
            .every(PERIOD)
            .retrying(Backoff::constant(PAUSE))
            .having_condition()
    }

    fn serve(&self, place: &Place) -> Result<Open, String> {
        let sockets = Sockets::open(place, &self.parts).map_err(|error| {
            let at = format!("[{}]:{}", place.address, place.port);
            let on = match &place.bridge {
                Some((link, _)) => format!(" on link {link}"),
                None => String::new(),
            };
            format!("cannot answer DNS queries at {at}{on}: {error}; {}", remedy(place))
        })?;
        let (stop, task) = (self.context.stop.child_token(), TaskTracker::new());
        let serving = task.track_future(sockets.run(stop.clone()));
        self.context.tasks.spawn(serving);
        task.close();
        Ok(Open { stop, task })
    }
}

/// What to do about a place that cannot be opened.
fn remedy(place: &Place) -> String {
    let what = match &place.bridge {
        Some((link, _)) => format!("or set `dns = false` for link {link}"),
        None => "or take another address in dns.listen".to_owned(),
    };
    match listeners::of(place.address, place.port).as_slice() {
        [] => format!("have nobody else listen there, {what}"),
        holders => format!("{} listens there: have it not, {what}", holders.join(" and ")),
    }
}

#[async_trait]
impl Reconciler for Faces {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        if !*self.is_read.borrow_and_update() {
            return Ok(Next::Wait);
        }
        let wanted = wanted(&self.context.settings.get());
        // A socket is closed before another one takes its address: the bridge may be another one by the same name.
        let mut leaving = Vec::new();
        self.open.retain(|place, open| {
            let stays = wanted.contains(place) && !open.task.is_empty();
            if !stays {
                open.stop.cancel();
                leaving.push(open.task.clone());
            }
            stays
        });
        for task in leaving {
            task.wait().await;
        }
        let mut failed = Vec::new();
        for place in &wanted {
            if self.open.contains_key(place) {
                continue;
            }
            match self.serve(place) {
                Ok(open) => drop(self.open.insert(place.clone(), open)),
                Err(reason) => failed.push(reason),
            }
        }
        let conditions = &self.context.conditions;
        if wanted.is_empty() {
            self.condition = None;
            return Ok(Next::Wait);
        }
        self.condition.get_or_insert_with(|| conditions.own(CONDITION));
        match failed.is_empty() {
            true => {
                conditions.set_ok(CONDITION);
                Ok(Next::Wait)
            }
            false => {
                let reason = failed.join("; ");
                conditions.set_wrong(CONDITION, reason.as_str());
                Err(reason.into())
            }
        }
    }

    async fn notified(&mut self) {
        tokio::select! {
            changed = self.interfaces_changed.changed() => if changed.is_err() {
                // Nobody observes interfaces any more: the daemon stops.
                std::future::pending::<()>().await;
            },
            Ok(()) = self.is_read.changed() => return,
        }
        tokio::time::sleep(GATHER).await;
    }
}
