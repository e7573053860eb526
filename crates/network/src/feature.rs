//! What the kernel can do for us, found by doing it in a network namespace that is thrown away.

use netlink_packet_route::link::LinkMessage;
use nix::sched::{CloneFlags, unshare};
use rtnetlink::{Handle, LinkBridge, LinkMessageBuilder, LinkVeth};
use tokio::runtime;

use crate::filter::load_for_a_try;
use crate::request::answer;
use crate::{Network, NetworkError, connection, thread};

/// The outcome of each try.
#[derive(Debug)]
pub struct KernelFeatures {
    /// Making a bridge.
    pub bridge: Result<(), NetworkError>,
    /// Making a veth pair.
    pub veth: Result<(), NetworkError>,
    /// Loading the rules of the packet filter: nftables with the families bridge and inet, dynamic sets, maps, counters,
    /// and translation of addresses.
    pub filter: Result<(), NetworkError>,
}

impl Network {
    /// Tries what we need of the kernel in a network namespace of its own, which goes with all that is in it.
    ///
    /// # Errors
    ///
    /// [`NotPermitted`](NetworkError::NotPermitted) without CAP_SYS_ADMIN: then nothing was tried.
    pub async fn try_features(&self) -> Result<KernelFeatures, NetworkError> {
        // The thread leaves its namespace, and ends with this.
        thread::run(&self.own, try_all).await
    }
}

fn try_all() -> Result<KernelFeatures, NetworkError> {
    let doing = || "making a network namespace for a try".to_owned();
    unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| match errno {
        nix::errno::Errno::EPERM => NetworkError::NotPermitted { doing: doing() },
        errno => NetworkError::Refused {
            doing: doing(),
            source: errno.into(),
        },
    })?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let (bridge, veth) = runtime.map_err(NetworkError::Open)?.block_on(async {
        let netlink = connection::connect()?;
        let bridge = LinkMessageBuilder::<LinkBridge>::new("try").build();
        let veth = LinkMessageBuilder::<LinkVeth>::new("try-a", "try-b").build();
        Ok::<_, NetworkError>((
            try_link(&netlink, bridge, "making a bridge").await,
            try_link(&netlink, veth, "making a veth pair").await,
        ))
    })?;
    Ok(KernelFeatures {
        bridge,
        veth,
        filter: load_for_a_try(),
    })
}

async fn try_link(netlink: &Handle, message: LinkMessage, doing: &str) -> Result<(), NetworkError> {
    let made = answer(netlink.link().add(message).execute()).await;
    made.map_err(|failure| failure.doing(doing))
}
