//! The machine of the daemon itself.
//!
//! ```text
//!   ensure:  ports? ─▶ (stop) ─▶ engine.ensure ─▶ network.ensure_attachment ─▶ announce, verify, probe
//!   with an engine that runs containers in a namespace made before:
//!            ports? ─▶ (stop) ─▶ namespace ─▶ network.ensure_attachment ─▶ engine starts ─▶ announce, probe
//!                                engine creates ─────────────────────────┘            └─▶ verify
//! ```

mod adopt;
mod answer;
mod apply;
mod bridge;
mod capacity;
mod copy;
mod describe;
mod dial;
mod ensure;
mod examine;
mod exec;
mod images;
mod list;
mod logs;
mod marked;
mod namespace;
mod news;
mod policy;
mod ports;
mod probe;
mod remove;
mod route;
mod see;
mod stats;
mod stop;
mod teardown;
mod unix;
mod values;
mod volumes;
mod watch;
mod while_running;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orchestrator_ahead::Ahead;
use orchestrator_doctor::{Fix, PolicyFacts};
use orchestrator_network::{JOIN_AT, Network};
use orchestrator_plugin::{Engine, Id, InstanceId, Mark};
use orchestrator_runtime::usage::VolumeUsage;
use tokio::sync::mpsc;

use crate::{
    Applied, BridgePlan, ByteStream, Capacity, Cause, ContainerRef, Depth, DialPlan, DialStream, DiskUse, Ensured,
    Examination, ExamineRequest, ExecRequest, ExecSession, Host, HostCapabilities, HostCapability, HostChange,
    HostError, Image, ImageFacts, InstancePlan, InstanceRef, ListRequest, Listed, LogRequest, NetworkChange,
    NetworkPart, Observation, ObservedBridge, OutputStream, PolicyCounts, PolicyItem, Progress, PullProgress,
    PullRequest, RemovalPlan, Stats, WatchScope,
};
use news::News;

/// The parts of a local host.
pub struct LocalSettings {
    /// The name that instances record for it.
    pub name: String,
    /// Its engines. None is asked before an instance needs it, or somebody watches it.
    pub engines: Vec<Arc<dyn Engine>>,
    /// The daemon's network namespace. Instances get ports on joined bridges when the bridge of their link is nearly full.
    pub network: Network,
    /// The mark of everything that is made here.
    pub mark: Mark,
    /// The directory for network namespaces that are made before their containers, such as `/run/orchestrator-netns`.
    /// Where there is a `socket` in it, the helper that listens there makes them.
    pub namespaces: PathBuf,
    /// The directory for volumes, such as `/var/lib/orchestrator/volumes`. It is made when the first volume is.
    pub volumes: PathBuf,
}

/// The machine of the daemon itself: its engines, and its networks through netlink.
#[derive(Clone)]
pub struct LocalHost {
    inner: Arc<Inner>,
}

type Parts = BTreeMap<NetworkPart, Arc<tokio::sync::Mutex<apply::State>>>;

struct Inner {
    name: String,
    engines: BTreeMap<Arc<str>, Arc<dyn Engine>>,
    network: Network,
    mark: Mark,
    namespaces: PathBuf,
    // Waits for the kernel in the place of a runtime, where no helper does and this process can.
    ahead: Option<Ahead>,
    volumes: PathBuf,
    // Where the network of each instance was last seen.
    networks: Mutex<HashMap<InstanceId, PathBuf>>,
    news: News,
    // What `apply` has brought each part of the networks to.
    parts: Mutex<Parts>,
    policy: tokio::sync::Mutex<policy::PolicyState>,
}

impl LocalHost {
    /// The machine of the daemon. Nothing is asked of it yet.
    pub fn new(settings: LocalSettings) -> Self {
        let named = settings.engines.into_iter();
        let inner = Inner {
            name: settings.name,
            engines: named.map(|engine| (Arc::from(engine.name()), engine)).collect(),
            network: settings.network.joining(JOIN_AT),
            mark: settings.mark,
            namespaces: settings.namespaces,
            ahead: Ahead::new(),
            volumes: settings.volumes,
            networks: Mutex::default(),
            news: News::default(),
            parts: Mutex::default(),
            policy: tokio::sync::Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    fn engine(&self, name: &str) -> Result<&Arc<dyn Engine>, Cause> {
        let found = self.inner.engines.get(name);
        found.ok_or_else(|| Cause::UnknownEngine(name.to_owned()))
    }

    fn network(&self) -> &Network {
        &self.inner.network
    }

    fn unsupported(&self, capability: HostCapability) -> Cause {
        Cause::Unsupported {
            host: self.inner.name.clone(),
            capability,
        }
    }

    /// The prefix of the alias of every host end of ours.
    fn alias_prefix(&self) -> String {
        format!("orchestrator:{}:", self.inner.mark.site)
    }

    fn alias(&self, instance: InstanceId) -> String {
        format!("{}{instance}", self.alias_prefix())
    }

    /// The instance of this alias, if it is one of ours.
    fn owner(&self, alias: &str) -> Option<InstanceId> {
        alias.strip_prefix(&self.alias_prefix())?.parse().ok()
    }

    /// Records where the network of an instance is, for observations that ask no engine.
    fn saw_network(&self, instance: InstanceId, netns: Option<&Path>) {
        let mut networks = self.networks();
        match netns {
            Some(netns) => drop(networks.insert(instance, netns.to_owned())),
            None => drop(networks.remove(&instance)),
        }
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        // Nothing that holds the lock can panic half-way through a change.
        self.inner.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn networks(&self) -> MutexGuard<'_, HashMap<InstanceId, PathBuf>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.inner.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Host for LocalHost {
    fn name(&self) -> &str {
        &self.inner.name
    }

    fn capabilities(&self) -> HostCapabilities {
        let engines = self.inner.engines.iter();
        HostCapabilities {
            host: HostCapability::ALL.into_iter().collect(),
            engines: engines
                .map(|(name, engine)| (name.to_string(), engine.capabilities()))
                .collect(),
        }
    }

    fn capacity(&self) -> Capacity {
        capacity::read(&self.inner.volumes)
    }

    async fn ensure(&self, plan: &InstancePlan, progress: &Progress) -> Result<Ensured, HostError> {
        Ok(self.ensure_instance(plan, progress).await?)
    }

    async fn adopt(&self, plan: &InstancePlan, progress: &Progress) -> Result<Ensured, HostError> {
        Ok(self.adopt_instance(plan, progress).await?)
    }

    async fn remove(&self, plan: &RemovalPlan) -> Result<(), HostError> {
        let causes = self.remove_all(plan).await;
        match causes.is_empty() {
            true => Ok(()),
            false => Err(HostError::Remove {
                instance: plan.id,
                causes,
            }),
        }
    }

    async fn stop(&self, plan: &RemovalPlan) -> Result<(), HostError> {
        let causes = self.halt(plan).await;
        match causes.is_empty() {
            true => Ok(()),
            false => Err(HostError::Stop {
                instance: plan.id,
                causes,
            }),
        }
    }

    async fn see(&self, instance: &InstanceRef, depth: Depth) -> Result<Observation, HostError> {
        Ok(match depth {
            Depth::Whole => self.see_whole(instance).await,
            Depth::Inside => self.see_inside(instance).await,
        })
    }

    async fn list(&self, request: &ListRequest, answers: mpsc::Sender<Listed>) -> Result<(), HostError> {
        self.list_all(request, &answers)
            .await
            .map_err(|source| HostError::List {
                host: self.inner.name.clone(),
                source,
            })
    }

    async fn describe(
        &self,
        container: &ContainerRef,
        prefix: &str,
    ) -> Result<Option<BTreeMap<String, String>>, HostError> {
        let described = self.describe_container(container, prefix).await;
        described.map_err(|source| HostError::Describe {
            instance: container.instance,
            source,
        })
    }

    async fn apply(
        &self,
        part: &NetworkPart,
        from: u64,
        to: u64,
        change: &NetworkChange,
    ) -> Result<Applied, HostError> {
        match part {
            NetworkPart::Policy => self.apply_policy(from, to, change).await,
            _ => self.apply_change(part, from, to, change).await,
        }
    }

    async fn policy_counts(&self) -> Result<PolicyCounts, HostError> {
        let counts = self.count_policy().await;
        counts.map_err(|source| HostError::PolicyCounts {
            host: self.inner.name.clone(),
            source,
        })
    }

    async fn teardown(&self) -> Result<Vec<String>, HostError> {
        let (gone, causes) = self.remove_networks().await;
        match causes.is_empty() {
            true => Ok(gone),
            false => Err(HostError::Teardown {
                host: self.inner.name.clone(),
                causes,
            }),
        }
    }

    async fn examine(&self, request: &ExamineRequest) -> Result<Examination, HostError> {
        Ok(self.examine_all(request).await)
    }

    async fn compare_policy(&self, wanted: &[PolicyItem]) -> Result<PolicyFacts, HostError> {
        self.compare_rules(wanted).await.map_err(|source| HostError::Examine {
            host: self.inner.name.clone(),
            source,
        })
    }

    async fn mend(&self, fix: &Fix) -> Result<Vec<String>, HostError> {
        self.mend_here(fix).await.map_err(|source| HostError::Mend {
            host: self.inner.name.clone(),
            source,
        })
    }

    async fn see_bridge(&self, plan: &BridgePlan, groups: &[Ipv6Addr]) -> Result<Option<ObservedBridge>, HostError> {
        let observed = self.observe_bridge(plan, groups).await;
        observed.map_err(|source| HostError::SeeBridge {
            host: self.inner.name.clone(),
            bridge: plan.name.clone(),
            source,
        })
    }

    async fn watch(&self, scope: WatchScope, changes: mpsc::Sender<HostChange>) -> HostError {
        HostError::Watch {
            host: self.inner.name.clone(),
            source: match scope {
                WatchScope::Engine(engine) => self.watch_engine(&engine, &changes).await,
                WatchScope::Networks => self.watch_networks(&changes).await,
                WatchScope::Interfaces => self.watch_interfaces(&changes).await,
                WatchScope::Routes => self.watch_routes(&changes).await,
                WatchScope::Policy => self.watch_policy(&changes).await,
            },
        }
    }

    async fn dial(&self, plan: &DialPlan) -> Result<Box<dyn DialStream>, HostError> {
        self.connect(plan).await.map_err(|source| HostError::Dial {
            instance: plan.id,
            source,
        })
    }

    async fn exec(&self, container: &ContainerRef, request: &ExecRequest) -> Result<ExecSession, HostError> {
        self.exec_in(container, request).await
    }

    async fn logs(&self, container: &ContainerRef, request: &LogRequest) -> Result<OutputStream, HostError> {
        self.logs_of(container, request).await
    }

    async fn stats(&self, container: &ContainerRef) -> Result<Stats, HostError> {
        self.stats_of(container).await
    }

    async fn disk(&self, container: &ContainerRef) -> Result<DiskUse, HostError> {
        self.disk_of(container).await
    }

    async fn files(&self, container: &ContainerRef, path: &Path) -> Result<ByteStream, HostError> {
        self.read_files(container, path).await
    }

    async fn put_files(
        &self,
        container: &ContainerRef,
        directory: &Path,
        archive: ByteStream,
    ) -> Result<(), HostError> {
        self.write_files(container, directory, archive).await
    }

    async fn remove_volume(&self, volume: Id) -> Result<(), HostError> {
        let removed = self.remove_directory(volume).await;
        removed.map_err(|source| HostError::RemoveVolume { volume, source })
    }

    async fn measure_volume(&self, volume: Id) -> Result<Option<VolumeUsage>, HostError> {
        let measured = self.measure_directory(volume).await;
        measured.map_err(|source| HostError::MeasureVolume { volume, source })
    }

    async fn export_volume(&self, volume: Id) -> Result<ByteStream, HostError> {
        let archive = self.archive_volume(volume).await;
        archive.map_err(|source| HostError::ExportVolume { volume, source })
    }

    async fn find_image(&self, engine: &str, image: &str) -> Result<ImageFacts, HostError> {
        self.about_images(engine, "find an image", |engine| engine.check_image(image))
            .await
    }

    async fn images(&self, engine: &str) -> Result<Vec<Image>, HostError> {
        self.about_images(engine, "list images", |engine| engine.images()).await
    }

    async fn load_images(&self, engine: &str, archive: ByteStream) -> Result<Vec<Image>, HostError> {
        self.about_images(engine, "load images", |engine| engine.load_images(archive))
            .await
    }

    async fn pull_image(
        &self,
        engine: &str,
        request: &PullRequest,
        progress: mpsc::Sender<PullProgress>,
    ) -> Result<Image, HostError> {
        self.about_images(engine, "fetch an image", |engine| engine.pull_image(request, progress))
            .await
    }

    async fn remove_image(&self, engine: &str, image: &str) -> Result<(), HostError> {
        self.about_images(engine, "remove an image", |engine| engine.remove_image(image))
            .await
    }

    async fn export(&self, instance: &InstanceRef) -> Result<ByteStream, HostError> {
        self.export_first(instance).await
    }
}
