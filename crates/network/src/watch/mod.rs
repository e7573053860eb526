//! Watches interfaces for changes that others make.
//!
//! The kernel reports every change of every interface; the caller gets only those that require an action. When the
//! socket overflows, changes were missed, and the caller gets [`LinkChange::Everything`]. The caller's channel is
//! bounded: a slow caller fills the socket and gets the same.

mod bridges;
mod entry;
mod event;

use std::convert::Infallible;
use std::io;

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};
use nix::errno::Errno;
use rtnetlink::constants::{RTMGRP_LINK, RTMGRP_NEIGH};
use tokio::runtime;
use tokio::sync::mpsc;

use self::bridges::Bridges;
use self::entry::{EntryEvent, all_entries, entry_events};
use self::event::events;
pub(crate) use self::event::messages;
pub(crate) use self::event::{Event as LinkEvent, events as link_events};
use crate::link::list_links;
use crate::namespace::Namespace;
use crate::{Network, NetworkError, thread};

/// A change that may call for action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkChange {
    /// Anything may have changed: the watch has just begun, or has missed something.
    Everything,
    /// A bridge is there and up that was not so before.
    BridgeUp {
        /// Its name.
        name: String,
    },
    /// A bridge is there but down that was not so before.
    BridgeDown {
        /// Its name.
        name: String,
    },
    /// A bridge is gone, or has another name now.
    BridgeGone {
        /// The name that it had.
        name: String,
    },
    /// The host end of an attachment was changed after it was made: brought down, taken from its bridge, its settings as a
    /// port changed, or the fixed entry of its link-layer address removed. Its removal begins with that, too.
    AttachmentChanged {
        /// Name of its host end.
        host_interface: String,
        /// The mark that it carries.
        alias: String,
    },
    /// An attachment is gone, by our own hand or another's.
    AttachmentGone {
        /// Name of its host end.
        host_interface: String,
        /// The mark that it carried.
        alias: String,
    },
}

impl Network {
    /// Reports changes until it fails, beginning with [`LinkChange::Everything`].
    ///
    /// Returns why it ended: [`Unwatched`](NetworkError::Unwatched) if nobody listens any more; anything else is worth
    /// another call.
    pub async fn watch(&self, changes: mpsc::Sender<LinkChange>) -> NetworkError {
        match self.report(&changes).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn report(&self, changes: &mpsc::Sender<LinkChange>) -> Result<Infallible, NetworkError> {
        let socket = subscribe(&self.own, RTMGRP_LINK).await?;
        // A socket of its own: bridges learn and forget link-layer addresses all the time, and what is missed here costs a
        // list of entries only.
        let entries = subscribe(&self.own, RTMGRP_NEIGH).await?;
        // Listed after the subscription, so that nothing is missed in between.
        let mut bridges = Bridges::of(list_links(&self.netlink).await?);
        self.sweep_neighbors().await?;
        send(changes, LinkChange::Everything).await?;
        loop {
            let received = tokio::select! {
                received = socket.recv_from_full() => received,
                received = entries.recv_from_full() => {
                    for change in self.entry_changes(&bridges, received).await? {
                        send(changes, change).await?;
                    }
                    continue;
                }
                () = changes.closed() => return Err(NetworkError::Unwatched),
            };
            match received {
                Ok((datagram, _kernel)) => {
                    let mut changed = Vec::new();
                    for event in events(&datagram) {
                        if let Some((bridge, mac)) = bridges.readdressed(&event) {
                            self.restore_neighbors(bridge, mac).await?;
                        }
                        changed.extend(bridges.observe(event));
                    }
                    for change in changed {
                        if let LinkChange::AttachmentGone { host_interface, .. } = &change {
                            self.release_neighbor(host_interface).await?;
                        }
                        send(changes, change).await?;
                    }
                }
                Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => {
                    bridges = Bridges::of(list_links(&self.netlink).await?);
                    self.sweep_neighbors().await?;
                    send(changes, LinkChange::Everything).await?;
                }
                Err(source) => {
                    return Err(NetworkError::Refused {
                        doing: "watching the interfaces".into(),
                        source,
                    });
                }
            }
        }
    }
}

impl Network {
    /// The changes of attachments in what was received about forwarding entries. When something was missed, all entries are
    /// listed.
    async fn entry_changes(
        &self,
        bridges: &Bridges,
        received: io::Result<(Vec<u8>, SocketAddr)>,
    ) -> Result<Vec<LinkChange>, NetworkError> {
        match received {
            Ok((datagram, _kernel)) => Ok(entry_events(&datagram)
                .filter_map(|event| bridges.observe_entry(event))
                .collect()),
            Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => {
                Ok(bridges.not_fixed(&all_entries(&self.netlink).await?))
            }
            Err(source) => Err(NetworkError::Refused {
                doing: "watching the forwarding entries of bridges".into(),
                source,
            }),
        }
    }
}

async fn send(changes: &mpsc::Sender<LinkChange>, change: LinkChange) -> Result<(), NetworkError> {
    changes.send(change).await.map_err(|_closed| NetworkError::Unwatched)
}

/// A netlink socket in the daemon's namespace that is subscribed to these groups.
pub(crate) async fn subscribe(own: &Namespace, groups: u32) -> Result<TokioSocket, NetworkError> {
    let runtime = runtime::Handle::current();
    thread::run(own, move || {
        let _reactor = runtime.enter();
        subscribe_here(groups)
    })
    .await
}

/// The same in the namespace of the calling thread, which must be within a runtime: nothing is entered, so that it takes
/// no privilege.
pub(crate) fn subscribe_here(groups: u32) -> Result<TokioSocket, NetworkError> {
    let mut socket = TokioSocket::new(NETLINK_ROUTE).map_err(NetworkError::Open)?;
    socket
        .socket_mut()
        .bind(&SocketAddr::new(0, groups))
        .map_err(NetworkError::Open)?;
    Ok(socket)
}
