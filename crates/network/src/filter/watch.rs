//! Notices when somebody else removes or changes the rules.

use std::convert::Infallible;

use netlink_sys::AsyncSocketExt;
use nix::errno::Errno;
use tokio::runtime;
use tokio::sync::mpsc;

use super::Filter;
use super::codec;
use crate::netfilter::nftables::{CHANGES, NEW_ELEMENT, NEW_GENERATION, SUBSYSTEM};
use crate::netfilter::{attributes, messages_with_headers, port, subscribe};
use crate::{NetworkError, thread};

/// Something changed about the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterChange {
    /// The watch has begun.
    Begun,
    /// Another program changed our tables, or may have done so unseen: compare them.
    Changed,
}

impl Filter {
    /// Reports changes that other programs make to the tables, until it fails. What this program changes is not reported.
    ///
    /// Returns why it ended: [`Unwatched`](NetworkError::Unwatched) if nobody listens any more; anything else is worth
    /// another call.
    pub async fn watch(&self, changes: mpsc::Sender<FilterChange>) -> NetworkError {
        match self.report(&changes).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn report(&self, changes: &mpsc::Sender<FilterChange>) -> Result<Infallible, NetworkError> {
        let runtime = runtime::Handle::current();
        let socket = thread::run(&self.network.own, move || {
            let _reactor = runtime.enter();
            subscribe(CHANGES).map_err(NetworkError::Open)
        })
        .await?;
        send(changes, FilterChange::Begun).await?;
        let mut touched = false;
        loop {
            let received = tokio::select! {
                received = socket.recv_from_full() => received,
                () = changes.closed() => return Err(NetworkError::Unwatched),
            };
            match received {
                Ok((datagram, _kernel)) => {
                    if self.is_of_others(&datagram, &mut touched) {
                        send(changes, FilterChange::Changed).await?;
                    }
                }
                Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => {
                    touched = false;
                    send(changes, FilterChange::Changed).await?;
                }
                Err(source) => {
                    return Err(NetworkError::Refused {
                        doing: "watching the packet filter".into(),
                        source,
                    });
                }
            }
        }
    }

    /// Whether a transaction ends here that changed our tables and did not come through our socket. `touched` says whether
    /// something of the transaction so far was about our tables.
    fn is_of_others(&self, datagram: &[u8], touched: &mut bool) -> bool {
        const TABLE: u16 = 1;
        let mut others = false;
        for (kind, header, body) in messages_with_headers(datagram) {
            let Some(kind) = kind.checked_sub(SUBSYSTEM << 8) else {
                continue;
            };
            let body = body.get(4..).unwrap_or_default();
            if kind == NEW_GENERATION {
                others |= *touched && port(header) != self.port;
                *touched = false;
                continue;
            }
            let table = attributes(body).find(|(kind, _)| *kind == TABLE);
            let named = table.is_some_and(|(_, name)| codec::text(name) == self.table);
            // The kernel itself reports elements that rules have added, outside of a transaction.
            *touched |= named && (kind != NEW_ELEMENT || !is_learned(body));
        }
        others
    }
}

/// Whether a new element is of a set that rules fill.
fn is_learned(body: &[u8]) -> bool {
    const SET: u16 = 2;
    let set = attributes(body).find(|(kind, _)| *kind == SET);
    set.is_some_and(|(_, name)| {
        let name = codec::text(name);
        !super::sets().any(|(_, known)| known.to_string() == name)
    })
}

async fn send(changes: &mpsc::Sender<FilterChange>, change: FilterChange) -> Result<(), NetworkError> {
    changes.send(change).await.map_err(|_closed| NetworkError::Unwatched)
}
