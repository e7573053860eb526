//! One run: clients send, a server answers, and everything is counted.
//!
//! ```text
//!   Idle ─ new ──▶ Soliciting ─ Advertise ─▶ Requesting ─ Reply ─┐
//!    ▲ ├─ renew ─▶ Renewing ─────────────────────────────────────┤ complete
//!    │ └ release ▶ Releasing ────────────────────────────────────┤
//!    └───────────────────────────────────────────────────────────┘ or lost, after a while without an answer
//! ```
//!
//! Nobody sends a message twice: what gets no answer in time is lost, as a measurement needs it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ipnet::Ipv6Net;
use nix::sys::socket::SockaddrIn6;
use orchestrator_wire::batch::{self, Answer, Message, XID_MASK};
use orchestrator_wire::{ADVERTISE, RELEASE, RENEW, REPLY, REQUEST, SOLICIT};

use crate::socket::{BatchSocket, Outbox};
use crate::{Client, Clients, Load, Outcome, Pace, Samples, Stage, Work, thread_time};

/// Exchanges that are begun before answers are looked at again.
const BURST: usize = 64;
/// The longest pause: what is to stop notices it.
const PAUSE: Duration = Duration::from_millis(20);

/// Puts a load on the server that `interface` leads to, and checks that it gives addresses of `pool`; until the load
/// is done or `stop` is set. The caller's thread must be in the namespace of the interface.
///
/// # Errors
///
/// When the socket cannot be opened or used. Wrong answers are counted, and no error.
pub fn run(interface: &str, pool: Ipv6Net, clients: &mut Clients, load: &Load, stop: &AtomicBool) -> Result<Outcome> {
    let mut socket = BatchSocket::client(interface).with_context(|| format!("cannot send on {interface}"))?;
    let mut runner = Runner {
        pool: (pool.network().into(), pool.broadcast().into()),
        load: *load,
        servers: socket.servers(),
        outbox: Outbox::default(),
        waiting: VecDeque::new(),
        cursor: 0,
        dice: getrandom::u64().unwrap_or(1) | 1,
        under_way: 0,
        now: 0,
        xid: getrandom::u32().unwrap_or(1),
        outcome: Outcome::default(),
        samples: Default::default(),
        clients,
    };
    let used = thread_time()?;
    let started = Instant::now();
    let nanoseconds = || u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let mut ended = None;
    loop {
        runner.now = nanoseconds();
        let wanted = runner.wanted();
        let over = runner.now >= span(load.span) || runner.outcome.begun >= load.most || stop.load(Ordering::Relaxed);
        let begun = if over || ended.is_some() {
            None
        } else {
            Some(runner.begin(wanted))
        };
        if ended.is_none() && (begun.is_none() || (begun < Some(wanted) && runner.under_way == 0)) {
            ended = Some(runner.now);
            runner.outcome.seconds = runner.now as f64 / 1e9;
            runner.outcome.rate = runner.outcome.completed as f64 / runner.outcome.seconds;
        }
        socket.send(&mut runner.outbox)?;
        // An answer may be there as soon as its question has left.
        runner.now = nanoseconds();
        let read = socket.receive(|datagram, _| runner.hear(datagram))?;
        if read > 0 {
            runner.now = nanoseconds();
            continue;
        }
        runner.forget();
        if ended.is_some() && (runner.under_way == 0 || stop.load(Ordering::Relaxed)) {
            break;
        }
        if wanted == 0 || ended.is_some() || runner.outbox.len() == 0 {
            socket.wait_readable(runner.pause(ended.is_some()))?;
        }
    }
    let used = thread_time()?.saturating_sub(used);
    runner.outcome.processor = used.as_secs_f64() * 1e6 / runner.outcome.begun.max(1) as f64;
    Ok(runner.finish())
}

fn span(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

struct Runner<'a> {
    clients: &'a mut Clients,
    pool: (u128, u128),
    load: Load,
    servers: SockaddrIn6,
    outbox: Outbox,
    /// Messages by the time they were sent: client and transaction. Most have been answered.
    waiting: VecDeque<(u64, usize, u32)>,
    /// Where the search for the next client goes on.
    cursor: usize,
    dice: u64,
    under_way: usize,
    /// Nanoseconds since the run began.
    now: u64,
    xid: u32,
    outcome: Outcome,
    /// To Advertise, to Reply, of the whole exchange.
    samples: [Samples; 3],
}

impl Runner<'_> {
    /// How many exchanges are due.
    fn wanted(&self) -> usize {
        let due = match self.load.pace {
            Pace::Rate(rate) => ((self.now as f64 / 1e9 * rate) as u64 + 1).saturating_sub(self.outcome.begun) as usize,
            Pace::Window(window) => window.saturating_sub(self.under_way),
        };
        let left = usize::try_from(self.load.most - self.outcome.begun.min(self.load.most)).unwrap_or(usize::MAX);
        due.min(BURST).min(left)
    }

    /// How long nothing is to be done unless an answer comes.
    fn pause(&self, ended: bool) -> Duration {
        let Pace::Rate(rate) = self.load.pace else {
            return PAUSE;
        };
        if ended {
            return PAUSE;
        }
        let next = (self.outcome.begun as f64 / rate * 1e9) as u64;
        Duration::from_nanos(next.saturating_sub(self.now)).min(PAUSE)
    }

    /// Begins up to so many exchanges; fewer when no client is left for one.
    fn begin(&mut self, wanted: usize) -> usize {
        for begun in 0..wanted {
            let Some(index) = self.next_client() else { return begun };
            let client = &mut self.clients.all[index];
            client.began = self.now;
            let stage = match self.load.work {
                Work::New => Stage::Soliciting,
                Work::Renew => Stage::Renewing,
                Work::Release => Stage::Releasing,
                Work::Mixed if !client.held => Stage::Soliciting,
                Work::Mixed if self.dice >> 62 == 0 => Stage::Releasing,
                Work::Mixed => Stage::Renewing,
            };
            self.outcome.begun += 1;
            self.under_way += 1;
            self.say(index, stage);
        }
        wanted
    }

    fn next_client(&mut self) -> Option<usize> {
        let count = self.clients.len();
        if self.load.work == Work::Mixed {
            self.cursor = usize::try_from(self.roll() >> 8).ok()? % count.max(1);
        }
        let wants = |client: &Client| {
            client.stage == Stage::Idle
                && match self.load.work {
                    Work::New => !client.held,
                    Work::Renew | Work::Release => client.held && !client.doubt,
                    Work::Mixed => true,
                }
        };
        // New clients and those that go come but once; the others in turns.
        let turns = matches!(self.load.work, Work::Renew | Work::Mixed);
        let end = if turns { self.cursor + count } else { count };
        for at in self.cursor..end {
            if wants(&self.clients.all[at % count]) {
                self.cursor = at + 1;
                return Some(at % count);
            }
        }
        self.cursor = end;
        if self.load.work != Work::New {
            return None;
        }
        self.clients.all.push(Client::default());
        self.cursor = count + 1;
        Some(count)
    }

    fn roll(&mut self) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice
    }

    /// Has a client send the message that leads to a stage.
    fn say(&mut self, index: usize, stage: Stage) {
        self.xid = (self.xid + 1) & XID_MASK;
        let number = self.clients.number(index);
        let client = &mut self.clients.all[index];
        (client.stage, client.xid, client.sent) = (stage, self.xid, self.now);
        let (kind, server, address) = match stage {
            Stage::Idle | Stage::Soliciting => (SOLICIT, &[][..], None),
            Stage::Requesting => (REQUEST, &self.clients.server[..], Some(client.address)),
            Stage::Renewing => (RENEW, &self.clients.server[..], Some(client.address)),
            Stage::Releasing => (RELEASE, &self.clients.server[..], Some(client.address)),
        };
        let message = Message {
            kind,
            xid: self.xid,
            client: number,
            server,
            address,
        };
        self.outbox.add(self.servers, |out| batch::write(&message, out));
        self.waiting.push_back((self.now, index, self.xid));
    }

    fn hear(&mut self, datagram: &[u8]) {
        let Some((answer, number)) = batch::read(datagram).and_then(|answer| Some((answer, answer.client?))) else {
            self.outcome.faults.malformed += 1;
            return;
        };
        // One that is none of these may have asked in an earlier run.
        let Some(index) = self.clients.index(number) else {
            self.outcome.faults.late += 1;
            return;
        };
        if self.clients.server.is_empty() {
            self.clients.server = answer.server.to_vec();
        }
        let client = self.clients.all[index];
        let kind = if client.stage == Stage::Soliciting {
            ADVERTISE
        } else {
            REPLY
        };
        if client.stage == Stage::Idle || client.xid != answer.xid || kind != answer.kind {
            self.outcome.faults.late += 1;
        } else if answer.server != self.clients.server {
            self.outcome.faults.other_server += 1;
        } else if client.stage == Stage::Releasing {
            self.released(index);
        } else if self.is_good(&client, &answer) {
            self.given(index, &answer);
        } else {
            self.end(index);
        }
    }

    /// Whether an answer gives what was asked for; counts why not.
    fn is_good(&mut self, client: &Client, answer: &Answer<'_>) -> bool {
        let faults = &mut self.outcome.faults;
        let address = answer.address.filter(|(_, valid)| *valid > 0 && answer.status == 0);
        let Some((address, _)) = address else {
            faults.refused += 1;
            return false;
        };
        let breach = if answer.iaid != answer.client {
            &mut faults.other_association
        } else if address < self.pool.0 || address > self.pool.1 {
            &mut faults.outside_pool
        } else if client.stage == Stage::Renewing && address != client.address {
            &mut faults.other_address
        } else {
            return true;
        };
        *breach += 1;
        false
    }

    /// A client was offered, or has, an address.
    fn given(&mut self, index: usize, answer: &Answer<'_>) {
        let client = &mut self.clients.all[index];
        client.address = answer.address.map_or(0, |(address, _)| address);
        let took = self.now - client.sent;
        if client.stage == Stage::Soliciting {
            self.samples[0].add(took);
            return self.say(index, Stage::Requesting);
        }
        (client.held, client.doubt) = (true, false);
        self.complete(index);
    }

    fn released(&mut self, index: usize) {
        let client = &mut self.clients.all[index];
        (client.held, client.doubt, client.address) = (false, false, 0);
        self.complete(index);
    }

    fn complete(&mut self, index: usize) {
        let client = &self.clients.all[index];
        self.samples[1].add(self.now - client.sent);
        self.samples[2].add(self.now - client.began);
        self.outcome.completed += 1;
        self.end(index);
    }

    fn end(&mut self, index: usize) {
        self.clients.all[index].stage = Stage::Idle;
        self.under_way -= 1;
    }

    /// Gives up what has waited for too long.
    fn forget(&mut self) {
        let limit = self.now.saturating_sub(span(self.load.patience));
        while let Some((sent, index, xid)) = self.waiting.front().copied() {
            let client = &mut self.clients.all[index];
            let answered = client.stage == Stage::Idle || client.xid != xid;
            if !answered && sent >= limit {
                return;
            }
            if !answered {
                client.give_up();
                self.under_way -= 1;
            }
            self.waiting.pop_front();
        }
    }

    fn finish(mut self) -> Outcome {
        for client in &mut self.clients.all {
            client.give_up();
        }
        self.outcome.faults.shared = self.clients.shared_addresses().len() as u64;
        let [advertise, reply, exchange] = &self.samples;
        self.outcome.advertise = advertise.latency();
        self.outcome.reply = reply.latency();
        self.outcome.exchange = exchange.latency();
        self.outcome
    }
}
