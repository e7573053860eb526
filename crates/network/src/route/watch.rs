//! Routes of ours that somebody removes.

use std::convert::Infallible;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::AsyncSocketExt;
use nix::errno::Errno;
use rtnetlink::constants::RTMGRP_IPV6_ROUTE;
use tokio::sync::mpsc;

use super::{Route, RouteMark, read};
use crate::watch::{messages, subscribe};
use crate::{Network, NetworkError};

/// A change of the routes with one mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteChange {
    /// Any of them may be gone: the watch has just begun, or has missed something.
    Everything,
    /// This one was removed, by us or by somebody else.
    Removed(Route),
}

impl Network {
    /// Reports routes with this mark that are removed, until it fails; begins with [`RouteChange::Everything`].
    ///
    /// The channel is bounded. A slow caller fills the kernel's socket, and gets another
    /// [`Everything`](RouteChange::Everything).
    ///
    /// Returns why it ended: [`Unwatched`](NetworkError::Unwatched) if the channel is closed; after any other error,
    /// call it again.
    pub async fn watch_routes(&self, mark: RouteMark, changes: mpsc::Sender<RouteChange>) -> NetworkError {
        match self.report_routes(mark, &changes).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn report_routes(
        &self,
        mark: RouteMark,
        changes: &mpsc::Sender<RouteChange>,
    ) -> Result<Infallible, NetworkError> {
        let socket = subscribe(&self.own, RTMGRP_IPV6_ROUTE).await?;
        send(changes, RouteChange::Everything).await?;
        loop {
            let received = tokio::select! {
                received = socket.recv_from_full() => received,
                () = changes.closed() => return Err(NetworkError::Unwatched),
            };
            match received {
                Ok((datagram, _kernel)) => {
                    for route in removed(&datagram, mark) {
                        send(changes, RouteChange::Removed(route)).await?;
                    }
                }
                Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => {
                    send(changes, RouteChange::Everything).await?;
                }
                Err(source) => {
                    return Err(NetworkError::Refused {
                        doing: "watching the routes".into(),
                        source,
                    });
                }
            }
        }
    }
}

fn removed(datagram: &[u8], mark: RouteMark) -> Vec<Route> {
    let gone = messages(datagram).filter_map(|message| match message {
        RouteNetlinkMessage::DelRoute(route) => read(&route, mark),
        _ => None,
    });
    gone.collect()
}

async fn send(changes: &mpsc::Sender<RouteChange>, change: RouteChange) -> Result<(), NetworkError> {
    changes.send(change).await.map_err(|_closed| NetworkError::Unwatched)
}
