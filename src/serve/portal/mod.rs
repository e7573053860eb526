//! Serves clients and instances over HTTP on every link: a listening socket for each address that the settings want.
//!
//! A socket belongs to one bridge. When the bridge is made again, its socket is opened again.

mod actions;
mod asking;
mod cards;
mod facts;
mod places;
mod reach;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_catalog::Catalog;
use orchestrator_portal::{Face, FrontDoor, Listener, Metadata, Place, Portal, PortalParts, Tls, TokenKey};
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::causes::with_causes;
use orchestrator_settings::{LinkSettings, PortalCertificate};
use orchestrator_store::Store;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::actions::StoreActions;
use self::facts::StoreFacts;
use self::places::{HTTPS, Purpose, wanted};
pub(super) use self::reach::InstanceReach;
use super::Context;
use super::client_keys::KeysOfClients;

/// How often the bridges are compared with the sockets.
const PERIOD: Duration = Duration::from_secs(5);
/// The longest wait before a socket is tried again that could not be opened.
const PAUSE: Duration = Duration::from_secs(2);
/// The wait after a notification: what comes with it is looked at once.
const GATHER: Duration = Duration::from_millis(50);

/// Serves until the daemon stops. `interfaces_changed` changes whenever interfaces may have. `reach` is what instances reach
/// beyond their metadata.
pub(super) fn register(
    context: &Context,
    store: &Store,
    catalog: Catalog,
    interfaces_changed: watch::Receiver<()>,
    reach: Arc<InstanceReach>,
) {
    let registration = Registration::new(
        "portal",
        "serves metadata to instances, and pages to clients, over HTTP",
    )
    .following_settings()
    .every(PERIOD)
    .retrying(Backoff::constant(PAUSE));
    let facts = StoreFacts {
        store: store.clone(),
        settings: context.settings.clone(),
        catalog,
        clock: context.clock,
        keys: KeysOfClients {
            store: store.clone(),
            settings: context.settings.clone(),
        },
        reach: reach.clone(),
    };
    let actions = StoreActions {
        store: store.clone(),
        clock: context.clock,
        notifications: context.notifications.clone(),
    };
    let faces = Faces {
        context: context.clone(),
        interfaces_changed,
        facts: Arc::new(facts),
        actions: Arc::new(actions),
        reach,
        key: None,
        certificate: None,
        open: HashMap::new(),
    };
    context.driver.register(registration, faces);
}

/// Keeps a socket open for every place where something is to be served.
struct Faces {
    context: Context,
    interfaces_changed: watch::Receiver<()>,
    facts: Arc<StoreFacts>,
    actions: Arc<StoreActions>,
    reach: Arc<InstanceReach>,
    /// The key of the tokens in forms, once there is one.
    key: Option<TokenKey>,
    /// The certificate that the open sockets have.
    certificate: Option<PortalCertificate>,
    open: HashMap<(Purpose, Place), Open>,
}

/// A socket that is served.
struct Open {
    stop: CancellationToken,
    task: TaskTracker,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[async_trait]
impl Reconciler for Faces {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let settings = self.context.settings.get();
        if self.certificate != settings.portal.certificate {
            // Pages know whether they are served over HTTPS.
            self.open.retain(|(purpose, _), _| *purpose != Purpose::Portal);
            self.certificate.clone_from(&settings.portal.certificate);
        }
        let wanted = wanted(&settings);
        // A socket is closed before another one takes its address: the bridge may be another one by the same name.
        self.open
            .retain(|key, open| wanted.contains(key) && !open.task.is_empty());
        let mut failed = Vec::new();
        for key in wanted {
            if self.open.contains_key(&key) {
                continue;
            }
            match self.serve(&key) {
                Ok(open) => drop(self.open.insert(key, open)),
                Err(reason) => failed.push(reason),
            }
        }
        match failed.is_empty() {
            true => Ok(Next::Wait),
            false => Err(failed.join("; ").into()),
        }
    }

    async fn notified(&mut self) {
        if self.interfaces_changed.changed().await.is_err() {
            // Nobody observes interfaces any more: the daemon stops.
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(GATHER).await;
    }
}

impl Faces {
    fn serve(&mut self, (purpose, place): &(Purpose, Place)) -> Result<Open, String> {
        let tls = self.tls(*purpose, place)?;
        let face = self.face(*purpose, place)?;
        let listener = Listener::open(place, &self.context.metrics).map_err(|error| {
            format!(
                "cannot serve {} at [{}]:{} on link {}: {error}; does another program listen there? Give it an address of \
                 its own, or set {} to another address",
                purpose.title(),
                place.address,
                place.port,
                place.link,
                purpose.key(),
            )
        })?;
        let listener = match tls {
            Some(tls) => listener.with_tls(tls),
            None => listener,
        };
        let (stop, task) = (self.context.stop.child_token(), TaskTracker::new());
        let serving = task.track_future(listener.run(face, stop.clone()));
        self.context.tasks.spawn(serving);
        Ok(Open { stop, task })
    }

    /// The certificate for a place of HTTPS.
    fn tls(&self, purpose: Purpose, place: &Place) -> Result<Option<Tls>, String> {
        let Some(certificate) = self.certificate.as_ref().filter(|_| place.port == HTTPS) else {
            return Ok(None);
        };
        let read = Tls::read(&certificate.certificate, &certificate.key);
        read.map(Some).map_err(|fault| {
            let reason = with_causes(&fault);
            format!("cannot serve {} over HTTPS: {reason}", purpose.title())
        })
    }

    fn face(&mut self, purpose: Purpose, place: &Place) -> Result<Arc<dyn Face>, String> {
        let (facts, metrics) = (self.facts.clone(), self.context.metrics.clone());
        Ok(match purpose {
            Purpose::Metadata => {
                Arc::new(Metadata::new(facts, self.context.clock, metrics).with_reach(self.reach.clone()))
            }
            Purpose::FrontDoor => {
                let settings = self.context.settings.get();
                let portal = settings.link(&place.link).and_then(LinkSettings::portal);
                Arc::new(FrontDoor::new(facts, metrics, portal))
            }
            Purpose::Portal => Arc::new(Portal::new(PortalParts {
                facts,
                actions: self.actions.clone(),
                key: self.key()?,
                clock: self.context.clock,
                metrics,
                address: place.address,
                host: self
                    .certificate
                    .as_ref()
                    .and_then(|certificate| certificate.host.clone()),
                is_secure: place.port == HTTPS,
            })),
        })
    }

    /// The key of the tokens in forms. It lasts as long as the daemon: forms that were shown before are too old.
    fn key(&mut self) -> Result<TokenKey, String> {
        if let Some(key) = &self.key {
            return Ok(key.clone());
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|fault| format!("the kernel gives no random bytes: {fault}"))?;
        Ok(self.key.insert(TokenKey::new(random)).clone())
    }
}
