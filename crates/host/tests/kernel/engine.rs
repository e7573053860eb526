//! An engine whose containers are threads, each in a real network namespace, that answer on a port.

use std::collections::HashMap;
use std::fs::File;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::gettid;
use orchestrator_plugin::{
    Capabilities, Capability, Change, Container, ContainerKey, ContainerSpec, Engine, EngineError, EngineFacts, Found,
    FoundState, ImageFacts, InstanceId, NetworkMode, Preparing, Running, RunningNetwork,
};

use tokio::sync::{oneshot, watch};

use crate::lab::PORT;

/// How long a container waits for its address.
const LIMIT: Duration = Duration::from_secs(30);

/// A container: a thread, as long as it runs.
struct Thread {
    number: u32,
    network: RunningNetwork,
    stop: Arc<AtomicBool>,
    handle: Option<JoinHandle<()>>,
}

/// What an engine does that shows a network namespace before its container runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Early {
    /// It starts the container in it, once that is wired.
    Kept,
    /// It starts the container in another one.
    Changed,
    /// It does not start the container.
    Failed,
}

/// What an engine says, once somebody has connected to a container that it has said to be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    /// The container runs.
    Runs,
    /// The container has ended.
    Ended,
}

pub(crate) struct Threads {
    capability: Capability,
    early: Mutex<Option<Early>>,
    late: Mutex<Option<Late>>,
    /// Whether anybody has connected to a container.
    reached: watch::Sender<bool>,
    containers: Mutex<HashMap<ContainerKey, Thread>>,
    address: Mutex<Ipv6Addr>,
    /// The number of calls of `find`.
    finds: AtomicUsize,
    /// Receives a change when a container ends.
    watcher: Mutex<Option<tokio::sync::mpsc::Sender<Change>>>,
}

impl Threads {
    pub(crate) fn new(capability: Capability) -> Self {
        Self {
            capability,
            early: Mutex::default(),
            late: Mutex::default(),
            reached: watch::Sender::new(false),
            containers: Mutex::default(),
            address: Mutex::new(Ipv6Addr::UNSPECIFIED),
            finds: AtomicUsize::new(0),
            watcher: Mutex::default(),
        }
    }

    /// Containers bind their port to this address from now on.
    pub(crate) fn bind_to(&self, address: Option<Ipv6Addr>) {
        *self.address.lock().unwrap() = address.unwrap();
    }

    /// Shows network namespaces from now on before containers run in them.
    pub(crate) fn show_early(&self, early: Early) {
        *self.early.lock().unwrap() = Some(early);
    }

    /// Describes containers from now on only when somebody has connected to them.
    pub(crate) fn describe_late(&self, late: Late) {
        self.reached.send_replace(false);
        *self.late.lock().unwrap() = Some(late);
    }

    /// Ends the first process of an instance.
    pub(crate) fn end(&self, id: InstanceId) {
        if let Some(thread) = self.containers.lock().unwrap().get_mut(&ContainerKey::main(id)) {
            thread.end();
        }
        if let Some(watcher) = &*self.watcher.lock().unwrap() {
            // It may be watched no more.
            let _ = watcher.try_send(Change::Container(ContainerKey::main(id)));
        }
    }

    /// The number of calls of `find`.
    pub(crate) fn finds(&self) -> usize {
        self.finds.load(Ordering::Relaxed)
    }

    fn start(&self, network: &NetworkMode) -> Thread {
        Thread::start(network, *self.address.lock().unwrap(), self.reached.clone())
    }
}

/// A network namespace that nothing runs in.
fn new_namespace() -> File {
    let made = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        File::open("/proc/thread-self/ns/net").unwrap()
    });
    made.join().unwrap()
}

/// Binds as soon as the address is there.
fn bind(address: SocketAddr) -> TcpListener {
    let began = Instant::now();
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(fault) => assert!(began.elapsed() < LIMIT, "{address}: {fault}"),
        }
        thread::sleep(Duration::from_millis(1));
    }
}

impl Thread {
    fn start(network: &NetworkMode, address: Ipv6Addr, reached: watch::Sender<bool>) -> Self {
        let address = SocketAddr::from((address, PORT));
        let stop = Arc::new(AtomicBool::new(false));
        let (report, started) = mpsc::channel();
        let (mode, stopped) = (network.clone(), stop.clone());
        let handle = thread::spawn(move || {
            match mode {
                NetworkMode::Prepared(path) => {
                    setns(File::open(path).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
                }
                _ => unshare(CloneFlags::CLONE_NEWNET).unwrap(),
            }
            let listener = bind(address);
            listener.set_nonblocking(true).unwrap();
            report.send(gettid()).unwrap();
            while !stopped.load(Ordering::Relaxed) {
                match listener.accept() {
                    // It is closed at once: it reacts.
                    Ok(_) => drop(reached.send_replace(true)),
                    Err(_) => thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        let number = started.recv().unwrap().as_raw().unsigned_abs();
        let netns = PathBuf::from(format!("/proc/{}/task/{number}/ns/net", std::process::id()));
        Self {
            number,
            network: match network {
                NetworkMode::Prepared(path) => RunningNetwork::Prepared(path.clone()),
                _ => RunningNetwork::EngineNamespace(netns),
            },
            stop,
            handle: Some(handle),
        }
    }

    /// The same container, in a namespace that the engine made.
    fn in_own(mut self) -> Self {
        let netns = format!("/proc/{}/task/{}/ns/net", std::process::id(), self.number);
        self.network = RunningNetwork::EngineNamespace(netns.into());
        self
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(handle) = self.handle.take() {
            handle.join().unwrap();
        }
    }

    fn found(&self, key: &ContainerKey) -> Found {
        Found {
            key: key.clone(),
            reference: key.engine_name(),
            state: match self.handle {
                None => FoundState::Exited { code: 0 },
                Some(_) => FoundState::Running(Running {
                    pid: self.number,
                    network: self.network.clone(),
                }),
            },
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.end();
    }
}

#[async_trait]
impl Engine for Threads {
    fn name(&self) -> &str {
        "threads"
    }

    fn capabilities(&self) -> Capabilities {
        self.capability.into()
    }

    async fn check(&self) -> Result<EngineFacts, EngineError> {
        Ok(EngineFacts {
            name: "Threads".to_owned(),
            version: "1".to_owned(),
        })
    }

    async fn check_equipment(&self) -> Result<(), EngineError> {
        Ok(())
    }

    async fn check_image(&self, _image: &str) -> Result<ImageFacts, EngineError> {
        unreachable!("it has no images")
    }

    async fn ensure(
        &self,
        container: &Container,
        _spec: &ContainerSpec,
        network: &NetworkMode,
    ) -> Result<Found, EngineError> {
        assert_eq!(network.capability(), self.capability);
        let mut containers = self.containers.lock().unwrap();
        let key = container.key.clone();
        if containers.get(&key).is_none_or(|thread| thread.handle.is_none()) {
            containers.insert(key.clone(), self.start(network));
        }
        Ok(containers[&key].found(&key))
    }

    async fn ensure_wired_early(
        &self,
        container: &Container,
        spec: &ContainerSpec,
        namespace: oneshot::Sender<PathBuf>,
    ) -> Result<Found, EngineError> {
        let Some(early) = *self.early.lock().unwrap() else {
            return self.ensure(container, spec, &NetworkMode::EngineNamespace).await;
        };
        let (made, address, reached) = (new_namespace(), *self.address.lock().unwrap(), self.reached.clone());
        let path = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), made.as_raw_fd()));
        namespace.send(path.clone()).unwrap();
        let network = match early {
            Early::Kept => NetworkMode::Prepared(path),
            Early::Changed => NetworkMode::EngineNamespace,
            Early::Failed => {
                return Err(EngineError::Failed {
                    verb: "start",
                    subject: container.key.engine_name(),
                    reason: "it was to fail".to_owned(),
                });
            }
        };
        let started = tokio::task::spawn_blocking(move || Thread::start(&network, address, reached).in_own());
        let thread = started.await.unwrap();
        let found = thread.found(&container.key);
        self.containers.lock().unwrap().insert(container.key.clone(), thread);
        Ok(found)
    }

    async fn ensure_once_wired(
        &self,
        container: &Container,
        spec: &ContainerSpec,
        mut namespace: Preparing,
    ) -> Result<Found, EngineError> {
        namespace.wired(&container.key).await?;
        let network = NetworkMode::Prepared(namespace.path().to_owned());
        let found = self.ensure(container, spec, &network).await?;
        let late = *self.late.lock().unwrap();
        let Some(late) = late else { return Ok(found) };
        namespace.started();
        self.reached.subscribe().wait_for(|reached| *reached).await.unwrap();
        if late == Late::Ended {
            self.end(container.key.instance);
        }
        Ok(self.find(container).await?.unwrap())
    }

    async fn stop(&self, container: &Container) -> Result<(), EngineError> {
        self.end(container.key.instance);
        Ok(())
    }

    async fn find(&self, container: &Container) -> Result<Option<Found>, EngineError> {
        self.finds.fetch_add(1, Ordering::Relaxed);
        let containers = self.containers.lock().unwrap();
        Ok(containers
            .get(&container.key)
            .map(|thread| thread.found(&container.key)))
    }

    async fn remove(&self, container: &Container) -> Result<(), EngineError> {
        self.containers.lock().unwrap().remove(&container.key);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Found>, EngineError> {
        let containers = self.containers.lock().unwrap();
        Ok(containers.iter().map(|(key, thread)| thread.found(key)).collect())
    }

    async fn watch(&self, changes: tokio::sync::mpsc::Sender<Change>) -> EngineError {
        *self.watcher.lock().unwrap() = Some(changes.clone());
        let _ = changes.send(Change::Everything).await;
        std::future::pending().await
    }
}
