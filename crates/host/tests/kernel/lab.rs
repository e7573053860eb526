//! A machine to test on: a namespace with a bridge, and an engine of threads.

use std::any::Any;
use std::future::Future;
use std::net::Ipv6Addr;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use orchestrator_host::{
    AttachmentPlan, ContainerName, ContainerPlan, ContainerSpec, InstancePlan, LocalHost, LocalSettings, ReadinessPlan,
    RemovalPlan,
};
use orchestrator_network::{BridgePlan, Network};
use orchestrator_plugin::{Capability, Id, Mark};

use crate::engine::Threads;

/// The port that instances answer on.
pub(crate) const PORT: u16 = 8080;

pub(crate) const SITE: Id = Id::from_bytes([9; 6]);

pub(crate) struct Lab {
    pub(crate) host: LocalHost,
    pub(crate) engine: Arc<Threads>,
    network: Network,
    directory: PathBuf,
}

/// Runs a test on a fresh thread whose network and mounts are its own.
pub(crate) fn daemon<F: Future<Output = Result<()>>>(
    capability: Capability,
    test: impl FnOnce(Lab) -> F + Send + 'static,
) -> Result<()> {
    let body = move || -> Result<()> {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).context("run the tests as root")?;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
        // What is made beneath is gone with the mount namespace of the test.
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { test(Lab::new(capability).await?).await })
    };
    let joined: Result<_, Box<dyn Any + Send>> = thread::spawn(body).join();
    joined.unwrap_or_else(|panic| resume_unwind(panic))
}

impl Lab {
    async fn new(capability: Capability) -> Result<Self> {
        let network = Network::open()?;
        let bridge = BridgePlan {
            name: "br0".to_owned(),
            create: true,
            address: Some("fd39::1/64".parse()?),
            services: Vec::new(),
            mark: format!("orchestrator:{SITE}:link"),
        };
        network.ensure_bridge(&bridge).await?;
        let engine = Arc::new(Threads::new(capability));
        let directory = PathBuf::from("/run/orchestrator-netns");
        Ok(Self {
            host: host(&network, &engine, &directory),
            engine,
            network,
            directory,
        })
    }

    /// A host on the same machine that knows nothing yet.
    pub(crate) fn another_host(&self) -> LocalHost {
        host(&self.network, &self.engine, &self.directory)
    }

    /// The same, but for how many ports a bridge has before another one is joined with it.
    pub(crate) fn host_joining(&self, most: usize) -> Result<LocalHost> {
        Ok(host(&Network::open()?.joining(most), &self.engine, &self.directory))
    }

    pub(crate) fn plan(&self, number: u8) -> InstancePlan {
        let id = Id::from_bytes([number; 6]);
        let address = Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 2, u16::from(number));
        InstancePlan {
            id,
            containers: vec![ContainerPlan {
                name: ContainerName::MAIN,
                engine: "threads".to_owned(),
                reference: None,
                spec: ContainerSpec::default(),
            }],
            mounts: Vec::new(),
            attachments: vec![AttachmentPlan {
                id: Id::from_bytes([number, 1, 1, 1, 1, 1]),
                bridge: "br0".to_owned(),
                interface: "eth1".to_owned(),
                address: Some(address),
                prefix_length: 64,
                mac: [2, 0x6f, 0, 0, 0, number],
                gateway: Some(Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 0, 1)),
                isolated: true,
                routed: Vec::new(),
                may_take_port: true,
            }],
            readiness: Some(ReadinessPlan {
                port: PORT,
                within: Duration::from_secs(20),
                reacting: true,
            }),
            restart: false,
            patient: true,
        }
    }

    pub(crate) fn removal(&self, plan: &InstancePlan) -> RemovalPlan {
        RemovalPlan {
            id: Some(plan.id),
            containers: plan.reference().containers,
            attachments: plan.attachments.iter().map(|attachment| attachment.id).collect(),
            routes: plan.attachments.iter().flat_map(AttachmentPlan::routes).collect(),
            host_ends: Vec::new(),
        }
    }

    /// The network namespaces that were made before their containers.
    pub(crate) fn namespaces(&self) -> Result<Vec<String>> {
        Ok(self.network.namespaces_in(&self.directory.join(SITE.to_string()))?)
    }

    pub(crate) async fn host_end_index(&self, plan: &InstancePlan) -> Result<Option<u32>> {
        let host_end = plan.attachments[0].host_end();
        let found = self.network.find_attachment(&host_end, "orchestrator:").await?;
        Ok(found.map(|found| found.index))
    }

    pub(crate) async fn remove_host_end(&self, plan: &InstancePlan) -> Result<()> {
        let host_end = plan.attachments[0].host_end();
        Ok(self.network.remove_attachment(&host_end, "orchestrator:").await?)
    }
}

fn host(network: &Network, engine: &Arc<Threads>, directory: &Path) -> LocalHost {
    LocalHost::new(LocalSettings {
        name: "local".to_owned(),
        engines: vec![engine.clone()],
        network: network.clone(),
        mark: Mark { site: SITE },
        namespaces: directory.to_owned(),
        volumes: directory.join("volumes"),
    })
}
