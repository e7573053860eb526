//! The trait that every machine is reached by.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::path::Path;

use async_trait::async_trait;
use orchestrator_doctor::{Fix, PolicyFacts};
use orchestrator_runtime::usage::VolumeUsage;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use crate::{
    Applied, BridgePlan, ByteStream, Capacity, ContainerRef, Depth, DialPlan, DiskUse, Ensured, Examination,
    ExamineRequest, ExecRequest, ExecSession, HostCapabilities, HostChange, HostError, Id, Image, ImageFacts,
    InstancePlan, InstanceRef, ListRequest, Listed, LogRequest, NetworkChange, NetworkPart, Observation,
    ObservedBridge, OutputStream, PolicyCounts, PolicyItem, Progress, PullProgress, PullRequest, RemovalPlan, Stats,
    WatchScope,
};

/// A connection to an instance.
pub trait DialStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> DialStream for T {}

/// A machine on which instances run.
///
/// # One trip
///
/// Each verb is one question to the machine, however far away it is: [`ensure`](Self::ensure) does everything between
/// the wish and the first answer of an instance, and [`see`](Self::see) everything that is to be known of one instance.
///
/// # Cancellation
///
/// Any call may be dropped half-way. What it had begun may still happen, or be left half done; the next call of the
/// same verb finds it and goes on from there. A removal waits for a start that was dropped, so that nothing outlives it.
///
/// # Errors
///
/// Every verb fails with the variant of [`HostError`] that is named after it. Calls that the host or one of its engines
/// cannot serve say so in [`capabilities`](Self::capabilities) and fail with [`Remedy::Operator`](crate::Remedy).
#[async_trait]
pub trait Host: Send + Sync + 'static {
    /// The name of the host. Instances record it.
    fn name(&self) -> &str;

    /// The capabilities of the host and of its engines. They do not change while the host is in use.
    fn capabilities(&self) -> HostCapabilities;

    /// What the machine has to give to instances, as it is now.
    fn capacity(&self) -> Capacity;

    /// Brings an instance to answer: starts its containers, wires its attachments, announces its addresses, verifies that
    /// the wired process still runs unless this call started it, and waits for its first answer.
    ///
    /// Nothing is sent to the instance, and nothing of it is wired while it runs, before `progress` is
    /// [admitted](Progress::admit). Waiting for the answer may take as long as the plan allows. `progress` says when that
    /// begins, so that the caller can give up what it holds for the work before it.
    async fn ensure(&self, plan: &InstancePlan, progress: &Progress) -> Result<Ensured, HostError>;

    /// The same for an instance that another scheduler starts: nothing is started, stopped or made.
    async fn adopt(&self, plan: &InstancePlan, progress: &Progress) -> Result<Ensured, HostError>;

    /// Makes sure that an instance is gone, with all that was made for it. Removing what is gone is success. Every
    /// piece is tried even when another could not be removed.
    async fn remove(&self, plan: &RemovalPlan) -> Result<(), HostError>;

    /// Makes sure that an instance does not run: stops its containers, and removes its attachments, routes and network
    /// namespace. Its containers and their files are kept, so that [`ensure`](Self::ensure) starts it again. Stopping
    /// what is gone is success. Every piece is tried even when another failed.
    async fn stop(&self, plan: &RemovalPlan) -> Result<(), HostError>;

    /// Observes one instance. What cannot be asked is [`Observation::Unknown`], not gone.
    async fn see(&self, instance: &InstanceRef, depth: Depth) -> Result<Observation, HostError>;

    /// Lists everything on the machine that bears our mark. Each part of the answer is sent as soon as it is known, and
    /// a part that cannot be had is sent as a failure: one engine that does not answer holds up no other.
    async fn list(&self, request: &ListRequest, answers: mpsc::Sender<Listed>) -> Result<(), HostError>;

    /// The variables that begin with `prefix` and that a container was made with; `None` when there is no such
    /// container, or its engine does not keep them.
    async fn describe(
        &self,
        container: &ContainerRef,
        prefix: &str,
    ) -> Result<Option<BTreeMap<String, String>>, HostError>;

    /// Brings one part of the host's networks from generation `from` to generation `to`: bridges, routes, policy.
    ///
    /// A change by difference is refused with [`Applied::NeedsWhole`] when the part is at another generation than `from`.
    /// The whole is always accepted; of what carries our mark, it also removes the routes that are not in it.
    /// Each item is tried even when another failed. After a failure the part is at no generation.
    ///
    /// If somebody has changed a bridge, the host restores it and announces its link-layer address to the link. A bridge
    /// is removed only if we made it for a network without clients and it has no port.
    ///
    /// A change of the policy is one transaction: all of it comes into force, or none. Ports that come to a bridge with a
    /// [`LinkPolicy`](crate::LinkPolicy) later get their role by the host alone. Nothing that the daemon does not do
    /// opens the rules again: they stay while it is stopped.
    async fn apply(&self, part: &NetworkPart, from: u64, to: u64, change: &NetworkChange)
    -> Result<Applied, HostError>;

    /// What the packet filter has counted since its rules were made. Fails with [`HostError::PolicyCounts`].
    async fn policy_counts(&self) -> Result<PolicyCounts, HostError>;

    /// Removes all that [`apply`](Self::apply) has made: rules, routes, and bridges that we made and that have no port.
    /// Returns what was removed, in words. Instances and volumes are not touched: remove them before. Every piece is
    /// tried even when another could not be removed.
    async fn teardown(&self) -> Result<Vec<String>, HostError>;

    /// Examines the machine, its engines and its volumes for the doctor. Changes nothing. What cannot be read is in the
    /// answer, with its reason.
    async fn examine(&self, request: &ExamineRequest) -> Result<Examination, HostError>;

    /// Compares the packet filter with what it is to let pass. Changes nothing. Fails with [`HostError::Examine`].
    async fn compare_policy(&self, wanted: &[PolicyItem]) -> Result<PolicyFacts, HostError>;

    /// Changes what is wrong with the machine, idempotently. Returns each thing that was done; nothing if all was right
    /// already. Fails with [`HostError::Mend`], also for a fix that is not a host's.
    async fn mend(&self, fix: &Fix) -> Result<Vec<String>, HostError>;

    /// Compares a bridge with its plan, and changes nothing. `None` when there is no such bridge. `groups` are the
    /// multicast groups that sockets on it have joined.
    async fn see_bridge(&self, plan: &BridgePlan, groups: &[Ipv6Addr]) -> Result<Option<ObservedBridge>, HostError>;

    /// Reports what happens behind our back until it is dropped, or fails. Says at its begin that anything may have
    /// happened before. The watch of an engine fails when the engine does not answer at its begin, or is lost; an engine
    /// that is only slow is reported, and does not end it. It does not begin anew by itself.
    ///
    /// Changes may come late, twice, in another order, or be lost with the connection: each says only what to observe.
    async fn watch(&self, scope: WatchScope, changes: mpsc::Sender<HostChange>) -> HostError;

    /// Connects to a socket of an instance, through its network and no other way.
    async fn dial(&self, plan: &DialPlan) -> Result<Box<dyn DialStream>, HostError>;

    /// Runs a command in a container, with a terminal where the request has one.
    async fn exec(&self, container: &ContainerRef, request: &ExecRequest) -> Result<ExecSession, HostError>;

    /// The output of a container: its standard output and error.
    async fn logs(&self, container: &ContainerRef, request: &LogRequest) -> Result<OutputStream, HostError>;

    /// Measures once what a running container uses.
    async fn stats(&self, container: &ContainerRef) -> Result<Stats, HostError>;

    /// Measures what a container wrote into its file system, outside of its volumes.
    async fn disk(&self, container: &ContainerRef) -> Result<DiskUse, HostError>;

    /// Reads the file or directory at an absolute path within a container, as a tar archive.
    async fn files(&self, container: &ContainerRef, path: &Path) -> Result<ByteStream, HostError>;

    /// Unpacks a tar archive into the directory at an absolute path within a container.
    async fn put_files(&self, container: &ContainerRef, directory: &Path, archive: ByteStream)
    -> Result<(), HostError>;

    /// Makes sure that a volume is gone, with all that it holds. Removing what is gone is success. No instance may hold it.
    async fn remove_volume(&self, volume: Id) -> Result<(), HostError>;

    /// Measures a volume; `None` when it is not made yet. Where the file system does not count by itself, the host reads
    /// the whole volume for it.
    async fn measure_volume(&self, volume: Id) -> Result<Option<VolumeUsage>, HostError>;

    /// The content of a volume, as a tar archive with paths relative to the volume. Links are archived as links, and
    /// followed nowhere. An instance may hold it: then files may change while they are read.
    async fn export_volume(&self, volume: Id) -> Result<ByteStream, HostError>;

    /// Asks an engine whether an image is there to be started.
    async fn find_image(&self, engine: &str, image: &str) -> Result<ImageFacts, HostError>;

    /// All images of an engine.
    async fn images(&self, engine: &str) -> Result<Vec<Image>, HostError>;

    /// Loads the images of an archive into an engine.
    async fn load_images(&self, engine: &str, archive: ByteStream) -> Result<Vec<Image>, HostError>;

    /// Has an engine fetch an image from its registry. A step that finds no room in `progress` is left out.
    async fn pull_image(
        &self,
        engine: &str,
        request: &PullRequest,
        progress: mpsc::Sender<PullProgress>,
    ) -> Result<Image, HostError>;

    /// Removes a name from an image of an engine, or an image by its id. Removing what is not there is success.
    async fn remove_image(&self, engine: &str, image: &str) -> Result<(), HostError>;

    /// The whole file system of an instance's first container, as a tar archive.
    async fn export(&self, instance: &InstanceRef) -> Result<ByteStream, HostError>;
}
