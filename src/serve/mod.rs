//! The daemon: builds its parts in the order in which data flows, starts them, and drains them when it is stopped.
//!
//! What is only not there yet (the database, a bridge, the engine) stops nothing: each part waits for what it needs
//! by itself, says so in the conditions, and goes on when it comes. Only what an operator must mend ends the daemon.

mod access;
mod balancer;
mod client_keys;
mod client_ports;
mod clock_step;
mod control;
mod dns;
mod doctor;
mod expectations;
mod hosts;
mod housekeeping;
mod images;
mod kv;
mod link;
mod links;
mod own_files;
mod policy;
mod portal;
mod relays;
mod reload;
mod reservations;
mod running;
mod secrets;
mod services;
mod storage;
mod systemd;
mod volumes;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use orchestrator_host::{Host, LocalHost, LocalSettings};
use orchestrator_network::{MarkClaim, Network, NetworkError, RouteMark};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OnceCell, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use access::Keyring;
use control::{Ready, Switchboard};
use doctor::Doctor;
use expectations::Expectations;
use hosts::Hosts;
use images::Images;
use links::{Commands, Links};
use orchestrator_api::{App, BindError, Inside, ServerIdentity};
use orchestrator_catalog::Catalog;
use orchestrator_model::{Clock, HostId, Mark, SiteId};
use orchestrator_reconcile::driver::{self, Driver};
use orchestrator_reconcile::images::Pins;
use orchestrator_reconcile::instance::{Orchestrator, Parts};
use orchestrator_reconcile::{drops, policy as filter, routes};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Conditions;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_runtime::notifications::Notifications;
use orchestrator_runtime::routers::Routers;
use orchestrator_runtime::tasks::Tasks;
use orchestrator_settings::{Current, Start};
use orchestrator_source::Recorder;
use orchestrator_source::dnsmasq::Intake;
use orchestrator_source::listener::{Directory, Origins};
use orchestrator_source::reserved::Reserved;
use orchestrator_store::{Store, StoreError};
use policy::PolicyDesk;
use portal::InstanceReach;
use relays::Relays;
use reload::Reloader;
use reservations::Reservations;
use secrets::Secrets;
use volumes::Volumes;

/// Where network namespaces are that are made before their containers, and the socket of the helper that makes them.
const NAMESPACES: &str = "/run/orchestrator-netns";

/// How long parts may take to end what they have begun.
const DRAIN: Duration = Duration::from_secs(5);

/// What ends the daemon: an operator must mend it.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The API cannot be served where the settings say.
    #[error(transparent)]
    Api(#[from] BindError),
    /// The database can never be used like this.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The kernel gives no netlink socket.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The operating system tells us of no signals.
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
}

/// What every part of the daemon shares.
#[derive(Clone)]
struct Context {
    settings: Current,
    clock: Clock,
    conditions: Conditions,
    metrics: Metrics,
    notifications: Notifications,
    stop: CancellationToken,
    /// Cancelled before `stop` when the daemon is not to come back: a last router advertisement makes hosts use another router.
    for_good: CancellationToken,
    tasks: TaskTracker,
    /// Runs whatever compares what is wanted with what is there.
    driver: Driver,
}

impl Context {
    fn new(settings: Current, statuses: Tasks) -> Self {
        let (metrics, stop, tasks) = (Metrics::default(), CancellationToken::new(), TaskTracker::new());
        let driver = Driver::new(driver::Parts {
            settings: settings.clone(),
            tasks: statuses,
            metrics: metrics.clone(),
            tracker: tasks.clone(),
            stop: stop.clone(),
        });
        Self {
            settings,
            clock: Clock::start(),
            conditions: Conditions::default(),
            metrics,
            notifications: Notifications::default(),
            stop,
            for_good: CancellationToken::new(),
            tasks,
            driver,
        }
    }
}

/// Runs the daemon until SIGTERM, SIGINT or SIGQUIT. Instances are left running.
///
/// SIGQUIT says that it is not to come back: a last router advertisement makes hosts use another router. The other
/// signals also come before a restart, so that hosts keep their router. At SIGHUP it reads its settings again.
///
/// # Errors
///
/// What an operator must mend: an API address that is taken, a database that is newer than this program.
pub async fn run(start: Start) -> Result<(), ServeError> {
    // Before anyone can see that the daemon is there, and tell it to stop.
    let mut signals = Signals::listen()?;
    let hangups = signal(SignalKind::hangup()).map_err(ServeError::Signals)?;
    let in_force = Arc::new(start.settings);
    let (settings_sender, settings) = Current::new(in_force.clone());
    let statuses = Tasks::default();
    let context = Context::new(settings, statuses.clone());
    let expectations = Expectations::of(&in_force, context.conditions.clone());
    let (store_sender, store) = watch::channel(None);
    let catalog = Arc::new(OnceLock::new());
    let (reloader, desk) = Reloader::new(reload::Parts {
        place: start.place,
        context: context.clone(),
        sender: settings_sender,
        set_log_level: start.set_log_level,
        expectations,
        catalog: catalog.clone(),
    });
    let (keyring, identity) = (Keyring::default(), ServerIdentity::default());
    let switchboard = Arc::new(Switchboard::new(desk, Doctor::new(context.clone()), keyring.clone()));
    let app = App {
        store: store.clone(),
        conditions: context.conditions.clone(),
        control: switchboard.clone(),
        metrics: context.metrics.clone(),
        tasks: statuses,
        identity: identity.clone(),
    };
    let inside = Inside::new(app.clone());
    let faces = orchestrator_api::Server::bind(&in_force.api, app).await?;
    context.tasks.spawn(faces.run(context.stop.clone()));
    context.tasks.spawn(reloader.run(hangups, context.stop.clone()));
    housekeeping::register_early(&context);
    systemd::ready();
    context.tasks.spawn(systemd::watchdog(context.stop.clone()));

    let access = (keyring, identity, inside);
    let work = build_and_run(context.clone(), store_sender, switchboard, catalog, access);
    tokio::pin!(work);
    let outcome = tokio::select! {
        outcome = &mut work => outcome,
        for_good = signals.told_to_stop() => {
            systemd::stopping();
            context.conditions.freeze();
            if for_good {
                context.for_good.cancel();
            }
            context.stop.cancel();
            // It ends by itself once it is cancelled. What it still waits for, a database perhaps, may never come, and is
            // no failure of a daemon that is to stop.
            let _ = tokio::time::timeout(DRAIN, work).await;
            Ok(())
        }
    };
    drain(&context, store.borrow().clone()).await;
    outcome
}

/// Lets every part end what it has begun, and the store last of all.
async fn drain(context: &Context, store: Option<Store>) {
    context.stop.cancel();
    context.tasks.close();
    let parts = async {
        context.tasks.wait().await;
        if let Some(store) = store {
            store.close().await;
        }
    };
    if tokio::time::timeout(DRAIN, parts).await.is_err() {
        tracing::warn!("some parts did not end in {DRAIN:?}; what they had begun is taken up at the next start");
    }
}

/// Starts everything behind the API, once the database is there.
async fn build_and_run(
    context: Context,
    store_sender: watch::Sender<Option<Store>>,
    switchboard: Arc<Switchboard>,
    catalog_seen: Arc<OnceLock<Catalog>>,
    (keyring, identity, inside): (Keyring, ServerIdentity, Inside),
) -> Result<(), ServeError> {
    let Some(store) = storage::wait_for(&context).await? else {
        return Ok(());
    };
    clock_step::follow(&context, &store).await?;
    let secrets = Secrets::of(&context, &store);
    let catalog = open_catalog(&context, store.clone()).await?;
    // Set once, here.
    let _ = catalog_seen.set(catalog.clone());
    let network = Network::open()?;
    let _claim = claim_routes(&network, store.identity().site);
    let mark = Mark {
        site: store.identity().site,
    };
    let host = local_host(&context, &network, mark);
    let volumes = Volumes::register(&context, &store, &host);
    let pins = Pins::new(Arc::new(store.clone()), vec![host.clone()], context.clock);
    let routers = Routers::default();
    let hosts = Hosts::open(&context, &store).await?;
    let services = services::Services::open(&context, &store, &catalog, &host, &routers, &hosts).await?;
    let (rules, requests) = filter::Rules::new(context.settings.clone());
    let orchestrator = Orchestrator::new(Parts {
        catalog: catalog.view(),
        records: Arc::new(store.clone()),
        own_files: Arc::new(own_files::SshKeys {
            store: store.clone(),
            keys: client_keys::KeysOfClients {
                store: store.clone(),
                settings: context.settings.clone(),
            },
            settings: context.settings.clone(),
            clock: context.clock,
            host_keys: OnceCell::new(),
        }),
        rules: Arc::new(rules),
        pins: pins.clone(),
        hosts: vec![host.clone()],
        clock: context.clock,
        wants: vec![
            Arc::new(orchestrator_reconcile::instance::Clients),
            Arc::new(services.wants()),
        ],
        notifications: context.notifications.clone(),
        conditions: context.conditions.clone(),
        metrics: context.metrics.clone(),
        driver: context.driver.clone(),
    });
    let recorder = Recorder::new(store.clone(), context.notifications.clone(), context.metrics.clone());
    let intake = Intake::new(
        context.settings.clone(),
        recorder.clone(),
        context.clock,
        context.metrics.clone(),
    );
    let commands = Commands::default();
    let directory = Directory::default();
    let reserved = Reserved::new(store.clone());
    let origins = Origins::new(context.metrics.clone());
    client_ports::register(&context, &network, store.identity().site, origins.clone());
    let links = Links {
        context: context.clone(),
        store: store.clone(),
        host: host.clone(),
        network: network.clone(),
        recorder: recorder.clone(),
        commands: commands.clone(),
        directory: directory.clone(),
        origins,
        reserved: reserved.clone(),
        endpoints: services.endpoints(),
    };
    let interfaces_changed = links.register();
    let reach = Arc::new(InstanceReach::new(&context, &store, inside));
    portal::register(&context, &store, catalog.clone(), interfaces_changed.clone(), reach);
    balancer::register(&context, &store, &host, &network, &services, &routers).await;
    dns::register(&context, &store, services.endpoints(), &routers, interfaces_changed);
    services.register(&orchestrator);
    let relays = Relays {
        context: context.clone(),
        directory,
    };
    relays.register();
    let running = Arc::new(running::Running {
        host: host.clone(),
        store: store.clone(),
        clock: context.clock,
    });
    let images = Images::register(&context, &store, &catalog, &host, pins);
    let routes = routes::Parts {
        settings: context.settings.clone(),
        records: Arc::new(store.clone()),
        host: host.clone(),
        clock: context.clock,
        notifications: context.notifications.clone(),
        conditions: context.conditions.clone(),
        metrics: context.metrics.clone(),
    };
    routes::register(&context.driver, routes);
    let parts = filter::Parts {
        settings: context.settings.clone(),
        records: Arc::new(store.clone()),
        host: host.clone(),
        notifications: context.notifications.clone(),
        requests,
        conditions: context.conditions.clone(),
    };
    filter::register(&context.driver, parts);
    let counted = drops::Parts {
        settings: context.settings.clone(),
        records: Arc::new(store.clone()),
        host: host.clone(),
        metrics: context.metrics.clone(),
        clock: context.clock,
    };
    drops::register(&context.driver, counted);
    switchboard.connect(Ready {
        settings: context.settings.clone(),
        host: host.clone(),
        clock: context.clock,
        store: store.clone(),
        orchestrator: orchestrator.clone(),
        recorder,
        intake: intake.clone(),
        commands,
        reservations: Reservations {
            settings: context.settings.clone(),
            store: store.clone(),
            reserved,
            clock: context.clock,
            notifications: context.notifications.clone(),
            services: services.clone(),
        },
        catalog,
        volumes,
        images: Arc::new(images),
        services: Arc::new(services),
        running,
        policy: PolicyDesk {
            settings: context.settings.clone(),
            store: store.clone(),
            host: host.clone(),
            conditions: context.conditions.clone(),
        },
    });
    access::register(&context, &store, keyring, identity);
    // Last of all: once the API shows the store, everything that the API needs is in place.
    store_sender.send_replace(Some(store.clone()));
    housekeeping::register(&context, &store, intake, hosts);
    secrets.register();
    kv::register(&context, &store);
    let outcome = while_leading(&context, &store, orchestrator.run(context.stop.clone())).await;
    // The API reads the store for as long as it drains.
    drop(store_sender);
    outcome
}

/// Runs `work` to its end, or until another daemon has taken the lead: then every part stops at once, as nothing can be
/// written any more. Instances are left running; the other daemon adopts those of its machine.
async fn while_leading(context: &Context, store: &Store, work: impl Future<Output = ()>) -> Result<(), ServeError> {
    tokio::pin!(work);
    let fault = tokio::select! {
        () = &mut work => return Ok(()),
        fault = store.deposed() => fault,
    };
    context.metrics.store_failed(fault.code());
    tracing::error!(
        code = fault.code(),
        reason = with_causes(&fault),
        "stopping; instances are left running"
    );
    systemd::stopping();
    context.stop.cancel();
    if tokio::time::timeout(DRAIN, work).await.is_err() {
        tracing::warn!("some workers did not end in {DRAIN:?}");
    }
    Err(fault.into())
}

/// The machine of the daemon itself, with the engines of the settings. None of them is asked anything yet.
fn local_host(context: &Context, network: &Network, mark: Mark) -> Arc<dyn Host> {
    Arc::new(LocalHost::new(LocalSettings {
        name: HostId::LOCAL.to_owned(),
        engines: context.settings.get().engines.build(mark),
        network: network.clone(),
        mark,
        namespaces: NAMESPACES.into(),
        volumes: context.settings.get().volumes.directory.clone(),
    }))
}

/// Reads what is declared, and has it followed until the daemon stops.
async fn open_catalog(context: &Context, store: Store) -> Result<Catalog, StoreError> {
    let parts = orchestrator_catalog::Parts {
        settings: context.settings.clone(),
        store,
        clock: context.clock,
        conditions: context.conditions.clone(),
    };
    let (catalog, keeper) = orchestrator_catalog::Keeper::open(parts, &context.stop).await?;
    context.tasks.spawn(keeper.run(context.stop.clone()));
    Ok(catalog)
}

/// Claims the mark of the site's routes, so that nobody takes them for those of a site that is gone.
fn claim_routes(network: &Network, site: SiteId) -> Option<MarkClaim> {
    match network.claim_mark(RouteMark::of_site(site.bytes())) {
        Ok(claim) => Some(claim),
        Err(fault) => {
            let fault = &fault as &dyn std::error::Error;
            tracing::warn!(
                error = fault,
                "the mark of this site's routes is not claimed: another daemon may have it"
            );
            None
        }
    }
}

/// The signals that end the daemon.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl Signals {
    /// From now on these signals are received, and no longer kill the process.
    fn listen() -> Result<Self, ServeError> {
        let listen = |kind| signal(kind).map_err(ServeError::Signals);
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            quit: listen(SignalKind::quit())?,
        })
    }

    /// Waits for one of them; whether the daemon stops for good.
    async fn told_to_stop(&mut self) -> bool {
        let (signal, for_good) = tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", false),
            _ = self.interrupt.recv() => ("SIGINT", false),
            _ = self.quit.recv() => ("SIGQUIT", true),
        };
        tracing::info!(for_good, "{signal}: stopping; instances are left running");
        for_good
    }
}
