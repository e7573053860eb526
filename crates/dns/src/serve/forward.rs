//! Queries for names elsewhere, passed on to the servers of the settings.
//!
//! Each is asked from a socket of its own, whose port the kernel chooses by chance, under a number of its own. An answer
//! counts only if it comes from that server to that port, with that number and for that question.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode};
use orchestrator_runtime::metrics::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

use super::shares::Shares;
use crate::Transport;
use crate::answer::{LARGEST, room};

/// Queries that are under way, and those of one peer.
const UNDER_WAY: usize = 256;
const UNDER_WAY_EACH: usize = 32;
/// How long one server may take, and all together. Resolvers ask again after five seconds.
const PATIENCE: Duration = Duration::from_millis(1500);
const WHOLE: Duration = Duration::from_millis(4500);
/// How often one server is asked, where there is no other.
const TRIES: usize = 3;

/// Asks other servers. A cheap handle.
#[derive(Clone)]
pub(super) struct Forwarder {
    servers: Vec<SocketAddr>,
    shares: Shares,
    metrics: Metrics,
}

/// Why there is no answer, as words for a counter.
type Failure = &'static str;

impl Forwarder {
    pub(super) fn new(servers: Vec<SocketAddr>, metrics: Metrics) -> Self {
        Self {
            servers,
            shares: Shares::new(UNDER_WAY, UNDER_WAY_EACH),
            metrics,
        }
    }

    /// Asks for somebody of this share. The result is the response: that of a server, or one that says that there is none,
    /// made from the one that refuses the query.
    pub(super) fn ask(
        &self,
        share: Ipv6Addr,
        query: Vec<u8>,
        refused: Vec<u8>,
        transport: Transport,
    ) -> impl Future<Output = Vec<u8>> + Send + use<> {
        // Taken now: what waits to be begun is bounded, too.
        let (share, this) = (self.shares.take(share), self.clone());
        async move {
            let asked = match &share {
                None => Err("full"),
                Some(_) => this.ask_all(&query, transport).await,
            };
            match asked {
                Ok(bytes) => {
                    this.metrics.dns_forwarded("answered");
                    bytes
                }
                // It does not want to be asked on.
                Err("malformed") => {
                    this.metrics.dns_forwarded("malformed");
                    refused
                }
                Err(word) => {
                    this.metrics.dns_forwarded(word);
                    failed(refused)
                }
            }
        }
    }

    async fn ask_all(&self, query: &[u8], transport: Transport) -> Result<Vec<u8>, Failure> {
        let asked = Message::from_vec(query).map_err(|_| "malformed")?;
        let question = Question::new(&asked)?;
        let end = Instant::now() + WHOLE;
        let tries = TRIES.max(self.servers.len());
        let mut failure = "timed-out";
        for server in self.servers.iter().cycle().take(tries) {
            if Instant::now() >= end {
                break;
            }
            let until = end.min(Instant::now() + PATIENCE);
            match question.ask(*server, transport, until).await {
                Ok(answer) => return Ok(finish(answer, &asked, transport)),
                Err(word) => failure = word,
            }
        }
        Err(failure)
    }
}

/// A question as it is asked elsewhere.
struct Question {
    id: u16,
    bytes: Vec<u8>,
    message: Message,
}

impl Question {
    fn new(asked: &Message) -> Result<Self, Failure> {
        if asked.metadata.op_code != OpCode::Query || asked.queries.len() != 1 || !asked.metadata.recursion_desired {
            return Err("malformed");
        }
        let mut random = [0; 2];
        getrandom::fill(&mut random).map_err(|_| "no-random")?;
        let id = u16::from_be_bytes(random);
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.metadata.checking_disabled = asked.metadata.checking_disabled;
        message.add_queries(asked.queries.iter().cloned());
        if let Some(edns) = &asked.edns {
            // No option of the client's goes on: they say who it is.
            let mut own = Edns::new();
            own.set_max_payload(LARGEST).set_version(0);
            own.set_dnssec_ok(edns.flags().dnssec_ok);
            message.set_edns(own);
        }
        let bytes = message.to_vec().map_err(|_| "malformed")?;
        Ok(Self { id, bytes, message })
    }

    async fn ask(&self, server: SocketAddr, transport: Transport, until: Instant) -> Result<Vec<u8>, Failure> {
        let by_udp = timeout_at(until, self.ask_by_udp(server)).await;
        let answer = by_udp.map_err(|_| "timed-out")?.map_err(|_| "unreachable")?;
        let is_cut = answer.get(2).is_some_and(|flags| flags & 2 != 0);
        match (is_cut, transport) {
            (true, Transport::Tcp) => {
                let by_tcp = timeout_at(until, self.ask_by_tcp(server)).await;
                by_tcp.map_err(|_| "timed-out")?.map_err(|_| "unreachable")
            }
            _ => Ok(answer),
        }
    }

    async fn ask_by_udp(&self, server: SocketAddr) -> io::Result<Vec<u8>> {
        let any: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await?;
        // The kernel lets pass only what comes from there.
        socket.connect(server).await?;
        socket.send(&self.bytes).await?;
        let mut room = vec![0; usize::from(u16::MAX)];
        loop {
            let length = socket.recv(&mut room).await?;
            let answer = room.get(..length).unwrap_or_default();
            if self.is_answered_by(answer) {
                return Ok(answer.to_vec());
            }
        }
    }

    async fn ask_by_tcp(&self, server: SocketAddr) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(self.bytes.len()).map_err(io::Error::other)?;
        stream
            .write_all(&[&length.to_be_bytes(), &*self.bytes].concat())
            .await?;
        let mut length = [0; 2];
        stream.read_exact(&mut length).await?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer).await?;
        match self.is_answered_by(&answer) {
            true => Ok(answer),
            false => Err(io::Error::other("the answer is for another question")),
        }
    }

    /// Whether this is an answer to the question.
    fn is_answered_by(&self, bytes: &[u8]) -> bool {
        let Ok(answer) = Message::from_vec(bytes) else {
            return false;
        };
        answer.metadata.id == self.id
            && answer.metadata.message_type == MessageType::Response
            && answer.metadata.op_code == OpCode::Query
            && answer.queries == self.message.queries
    }
}

/// The answer of another server as the client gets it: under its own number, and cut if it is too long for it.
fn finish(mut answer: Vec<u8>, asked: &Message, transport: Transport) -> Vec<u8> {
    if answer.len() > room(asked, transport) {
        let cut = Message::from_vec(&answer).map(|message| message.truncate().to_vec());
        if let Ok(Ok(cut)) = cut {
            answer = cut;
        }
    }
    if let Some(id) = answer.first_chunk_mut() {
        *id = asked.metadata.id.to_be_bytes();
    }
    answer
}

/// The response that says that no server answered, made from the one that refuses the query.
fn failed(mut refused: Vec<u8>) -> Vec<u8> {
    const SERVER_FAILURE: u8 = 2;
    if let Some(code) = refused.get_mut(3) {
        *code = *code & 0xf0 | SERVER_FAILURE;
    }
    refused
}
