//! Queries by UDP.

use std::io;
use std::net::SocketAddrV6;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Shared;
use super::batch::{Inbox, Reply, send};
use crate::{Answer, Transport, answer};

/// The wait after the operating system failed to read.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that answers datagrams.
pub(super) struct UdpFace {
    socket: Arc<UdpSocket>,
    shared: Arc<Shared>,
}

/// What is done about one batch of datagrams.
#[derive(Default)]
struct Work {
    replies: Vec<Reply>,
    /// Words for what was answered, and for what was dropped.
    answered: Vec<&'static str>,
    dropped: Vec<&'static str>,
    /// Queries for names elsewhere, each with the response that refuses it.
    elsewhere: Vec<(SocketAddrV6, Vec<u8>, Vec<u8>)>,
}

impl UdpFace {
    pub(super) fn new(socket: std::net::UdpSocket, shared: Arc<Shared>) -> io::Result<Self> {
        Ok(Self {
            socket: Arc::new(UdpSocket::from_std(socket)?),
            shared,
        })
    }

    pub(super) async fn run(self, stop: &CancellationToken, tasks: &TaskTracker) {
        let mut inbox = Inbox::new();
        loop {
            let mut work = Work::default();
            // A batch is answered with one snapshot of the names, taken when the batch is read: the wait for it may have
            // begun long ago.
            let mut names = None;
            let mut take = |from: SocketAddrV6, query: &[u8]| {
                let names = names.get_or_insert_with(|| self.shared.names.borrow().clone());
                work.take(&self.shared, names, from, query);
            };
            let received = tokio::select! {
                () = stop.cancelled() => return,
                received = inbox.receive(&self.socket, &mut take) => received,
            };
            match received {
                Ok(too_long) => work.dropped.extend(std::iter::repeat_n("too-long", too_long)),
                Err(fault) => {
                    self.shared.metrics.dns_dropped(["unread"]);
                    tracing::debug!(%fault, "cannot read DNS queries");
                    tokio::time::sleep(PAUSE).await;
                }
            }
            self.finish(work, stop, tasks);
            // Other tasks of this thread have their turn, however many queries come.
            tokio::task::yield_now().await;
        }
    }

    fn finish(&self, work: Work, stop: &CancellationToken, tasks: &TaskTracker) {
        let unsent = send(&self.socket, &work.replies);
        let metrics = &self.shared.metrics;
        metrics.dns_answered("udp", work.answered);
        metrics.dns_dropped(work.dropped);
        metrics.dns_dropped(std::iter::repeat_n("unsent", unsent));
        for (from, query, refused) in work.elsewhere {
            self.forward(from, query, refused, stop, tasks);
        }
    }

    /// Has a query asked elsewhere, and answers it when there is an answer.
    fn forward(
        &self,
        from: SocketAddrV6,
        query: Vec<u8>,
        refused: Vec<u8>,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) {
        let Some(forwarder) = &self.shared.forwarder else {
            return;
        };
        let asking = forwarder.ask(self.shared.place.share(*from.ip()), query, refused, Transport::Udp);
        let (socket, stop, metrics) = (self.socket.clone(), stop.clone(), self.shared.metrics.clone());
        tasks.spawn(async move {
            // A socket that closes does not wait for the answer of another server.
            if let Some(bytes) = stop.run_until_cancelled(asking).await {
                metrics.dns_answered("udp", ["forwarded"]);
                let _ = socket.send_to(&bytes, from).await;
            }
        });
    }
}

impl Work {
    fn take(&mut self, shared: &Shared, names: &crate::Directory, from: SocketAddrV6, query: &[u8]) {
        if let Err(word) = shared.admission.admit(*from.ip()) {
            return self.dropped.push(word);
        }
        match answer(names, query, Transport::Udp, shared.turn()) {
            Answer::Response(bytes, outcome) => {
                self.answered.push(outcome.word());
                self.replies.push(Reply { bytes, to: from });
            }
            Answer::Elsewhere(refused) if shared.forwarder.is_some() => {
                self.elsewhere.push((from, query.to_vec(), refused));
            }
            Answer::Elsewhere(bytes) => {
                self.answered.push("refused");
                self.replies.push(Reply { bytes, to: from });
            }
            Answer::Nothing => self.dropped.push("no-query"),
        }
    }
}
