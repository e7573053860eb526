//! One forbidden way, how it is tried, and how one sees whether it got through.

use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_lab::poll;

use super::stage::{BRIEF, LONG, Stage, Who, counted, counters};
use super::tap::needle;

/// How long a counter may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is tried.
pub(super) enum Act {
    /// A connection to an address (with a zone, if need be), from this source if it is not the sender's own.
    Tcp(String, u16, Option<Ipv6Addr>),
    /// A datagram of so many octets.
    Udp {
        to: String,
        port: u16,
        from: Option<Ipv6Addr>,
        from_port: Option<u16>,
        size: usize,
    },
    /// An echo request.
    Ping(String),
    /// A frame by a packet socket. Its last octets identify it.
    Frame(Vec<u8>),
}

/// Where it is seen to get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Through {
    /// The connection is open.
    Connected,
    /// It arrives at somebody.
    At(Who),
    /// A socket of the host has it.
    Service,
}

/// A forbidden way.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) from: Who,
    pub(super) act: Act,
    pub(super) through: Through,
    /// What it is counted as, or one of several (`a|b`); `None` for what a switch floods to ports that it is not for.
    pub(super) cause: Option<&'static str>,
    /// What the sender changes before, with `ip`, and changes back.
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
    /// Whether the port of the instance itself holds it up, whatever the rules say: its link-layer address is fixed.
    pub(super) held: bool,
}

/// What each payload ends with: the same for no two cases.
pub(super) fn mark(number: usize) -> Vec<u8> {
    format!("attack{number:06}").into_bytes()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What came of trying.
struct Tried {
    said: String,
    /// What a frame holds that arrived.
    octets: Vec<u8>,
}

impl Case {
    /// Without the rules it gets through.
    pub(super) fn gets_through(&self, stage: &Stage, number: usize) -> Result<(), String> {
        let tried = self.attempt(stage, number, LONG);
        let through = match self.through {
            Through::Connected => tried.said == "connected",
            Through::At(who) => stage.party(who).tap.sees(&tried.octets),
            Through::Service => poll("a datagram", PATIENCE, || is_served(stage, &tried.octets).then_some(())).is_ok(),
        };
        match through {
            true => Ok(()),
            false => Err(format!(
                "{}: without rules it does not get through: {}",
                self.name, tried.said
            )),
        }
    }

    /// With the rules it is counted, and does not get through.
    pub(super) fn is_dropped(&self, stage: &Stage, number: usize) -> Result<(), String> {
        let host = &stage.site.host;
        let before = self.cause.map(|cause| counted(host, cause));
        let all = counters(host);
        let tried = self.attempt(stage, number, BRIEF);
        if let (Some(cause), Some(before)) = (self.cause, before) {
            let is_counted = || (counted(host, cause) > before).then_some(());
            if poll("a counter", PATIENCE, is_counted).is_err() {
                let now = counters(host);
                let changed: Vec<_> = now.iter().filter(|one| !all.contains(one)).collect();
                return Err(format!(
                    "{}: not counted as {cause}, but {changed:?}: {}",
                    self.name, tried.said
                ));
            }
        } else {
            // What comes later has come, so what came before would have.
            stage.barrier(self.from);
        }
        self.is_stopped(stage, &tried)
    }

    /// Without the rules, the port holds it up.
    pub(super) fn is_held(&self, stage: &Stage, number: usize) -> Result<(), String> {
        let tried = self.attempt(stage, number, BRIEF);
        stage.barrier(self.from);
        self.is_stopped(stage, &tried)
    }

    fn is_stopped(&self, stage: &Stage, tried: &Tried) -> Result<(), String> {
        let through = match self.through {
            Through::Connected => tried.said == "connected",
            Through::At(who) => stage.party(who).tap.has(&tried.octets),
            Through::Service => is_served(stage, &tried.octets),
        };
        match through {
            false => Ok(()),
            true => Err(format!("{}: it gets through", self.name)),
        }
    }

    fn attempt(&self, stage: &Stage, number: usize, limit: &str) -> Tried {
        stage.clear();
        self.before.iter().for_each(|arguments| stage.ip(self.from, arguments));
        let port = 20_000 + u16::try_from(number).unwrap();
        let source = |from: &Option<Ipv6Addr>| from.map_or("-".to_owned(), |from| from.to_string());
        let (words, octets) = match &self.act {
            Act::Tcp(to, to_port, from) => {
                let words = ["tcp", &source(from), &port.to_string(), to, &to_port.to_string(), limit];
                let address = to.split('%').next().unwrap().parse().unwrap();
                (words.map(str::to_owned).to_vec(), needle(address, port, *to_port))
            }
            Act::Udp {
                to,
                port: to_port,
                from,
                from_port,
                size,
            } => {
                let mark = mark(number);
                let payload = [vec![0; size.saturating_sub(mark.len())], mark.clone()].concat();
                let port = from_port.unwrap_or(port).to_string();
                let words = ["udp", &source(from), &port, to, &to_port.to_string(), &hex(&payload)];
                (words.map(str::to_owned).to_vec(), mark)
            }
            Act::Ping(to) => (
                ["ping", to, &hex(&mark(number))].map(str::to_owned).to_vec(),
                mark(number),
            ),
            Act::Frame(frame) => {
                let interface = if self.from == Who::Root { "eth1" } else { "eth0" };
                let words = ["frame", interface, &hex(frame)].map(str::to_owned).to_vec();
                (words, frame[frame.len() - 12..].to_vec())
            }
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = stage.attack(self.from, &words);
        self.after.iter().for_each(|arguments| stage.ip(self.from, arguments));
        Tried { said, octets }
    }
}

fn is_served(stage: &Stage, octets: &[u8]) -> bool {
    let mut room = [0; 2048];
    let mut found = false;
    while let Ok(length) = stage.service.recv(&mut room) {
        found |= room[..length].ends_with(octets);
    }
    found
}
