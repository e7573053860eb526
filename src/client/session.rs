//! One run of the client: from the interface's being there until it is told to end.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_dhcp6::client::{Action, Client, ClientSettings, Event, Holdings, Lease};
use orchestrator_dhcp6::{Duid, Leased};
use orchestrator_network::{AddressState, Interface, Network};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::clock::Clock;
use super::identity::{self, DuidChoice};
use super::report::{Report, What};
use super::socket::ClientSocket;
use super::state::State;
use super::{ClientError, Options};

/// The longest sleep: timers stand still while the machine does, and leases go on ending.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// How long giving back may take at most: what section 18.2.7 of RFC 9915 wants is sixteen seconds.
const RELEASING: Duration = Duration::from_secs(20);

/// Gets a lease for an interface and keeps it until a signal comes; reports what happens.
///
/// # Errors
///
/// When it cannot begin or go on, or when the first lease takes too long.
pub async fn run(options: &Options, mut report: impl FnMut(Report) -> io::Result<()>) -> Result<(), ClientError> {
    let mut signals = Signals::open()?;
    let network = Network::open()?;
    let (changes, changed) = mpsc::channel(1);
    let watched = network.clone();
    let watch = tokio::spawn(async move { watched.watch_interfaces(changes).await });
    let deadline = options.timeout.map(|limit| Instant::now() + limit);
    let session = async {
        let mut session = Session::begin(options, network, changed).await?;
        session.keep_going(&mut report, deadline, &mut signals).await
    };
    let outcome = session.await;
    watch.abort();
    outcome
}

/// What ends a run.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn open() -> Result<Self, ClientError> {
        let open = |kind| {
            signal(kind).map_err(|source| ClientError::System {
                doing: "wait for signals",
                source,
            })
        };
        Ok(Self {
            terminate: open(SignalKind::terminate())?,
            interrupt: open(SignalKind::interrupt())?,
        })
    }

    /// Waits for one. Cancel-safe.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// A client on its interface.
struct Session<'a> {
    options: &'a Options,
    network: Network,
    changed: mpsc::Receiver<()>,
    clock: Clock,
    state: State,
    index: u32,
    socket: ClientSocket,
    /// Begins when the interface can be used.
    client: Option<Client>,
    duid: Duid,
    remembered: Option<Holdings>,
    /// Whether the interface can be used.
    attached: bool,
    /// Addresses of which it is not known yet whether someone else has them.
    checking: BTreeSet<Ipv6Addr>,
    /// Addresses of which it is known that nobody has.
    ready: BTreeSet<Ipv6Addr>,
    /// What was written down last.
    kept: Option<Holdings>,
    /// Whether there has been what it is there for.
    provided: bool,
}

/// What the loop woke up for.
enum Woken {
    Changed,
    Time,
    Datagram(Vec<u8>),
    Told,
    TooLate,
}

impl<'a> Session<'a> {
    async fn begin(options: &'a Options, network: Network, changed: mpsc::Receiver<()>) -> Result<Self, ClientError> {
        let name = &options.interface;
        let interface = find(&network, name).await?;
        let state = State::open(&options.state).await?;
        let duid = choose_duid(&state, options, &interface).await?;
        let remembered = state.holdings(name).await?;
        let socket = ClientSocket::open(name, interface.index).map_err(|source| ClientError::Socket {
            interface: name.clone(),
            source,
        })?;
        Ok(Self {
            options,
            network,
            changed,
            clock: Clock::start(),
            state,
            index: interface.index,
            socket,
            client: None,
            duid,
            kept: remembered.clone(),
            remembered,
            attached: false,
            checking: BTreeSet::new(),
            ready: BTreeSet::new(),
            provided: false,
        })
    }

    /// Does what there is to do until it is over.
    async fn keep_going(
        &mut self,
        report: &mut impl FnMut(Report) -> io::Result<()>,
        mut deadline: Option<Instant>,
        signals: &mut Signals,
    ) -> Result<(), ClientError> {
        let mut releasing = false;
        loop {
            let (actions, seen) = match self.wait(deadline, signals).await? {
                Woken::Changed => self.look().await?,
                Woken::Time => (self.wake(), Vec::new()),
                Woken::Datagram(datagram) => (self.hear(&datagram), Vec::new()),
                Woken::Told if releasing || self.options.keep => return Ok(()),
                Woken::Told => {
                    (releasing, deadline) = (true, Some(Instant::now() + RELEASING));
                    (self.release(), Vec::new())
                }
                Woken::TooLate if releasing => return Ok(()),
                Woken::TooLate => return Err(self.too_late()),
            };
            self.tell(seen, report)?;
            self.carry_out(actions, report).await?;
            if !releasing && self.provided {
                deadline = None;
            }
            let over = self.client.as_ref().is_none_or(Client::is_done) && releasing;
            if over || (self.options.once && self.provided && self.checking.is_empty()) {
                return Ok(());
            }
        }
    }

    async fn wait(&mut self, deadline: Option<Instant>, signals: &mut Signals) -> Result<Woken, ClientError> {
        let due = self.client.as_ref().and_then(Client::next);
        let sleep = due.map_or(LONGEST_SLEEP, |due| self.clock.until(due).min(LONGEST_SLEEP));
        let patience = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        Ok(tokio::select! {
            () = signals.next() => Woken::Told,
            () = patience => Woken::TooLate,
            Some(()) = self.changed.recv() => Woken::Changed,
            received = self.socket.receive() => {
                let datagram = received.map_err(|source| ClientError::Receive {
                    interface: self.options.interface.clone(),
                    source,
                })?;
                Woken::Datagram(datagram.to_vec())
            }
            () = tokio::time::sleep(sleep) => Woken::Time,
        })
    }

    fn wake(&mut self) -> Vec<Action> {
        let now = self.clock.now();
        self.client.as_mut().map_or_else(Vec::new, |client| client.wake(now))
    }

    fn hear(&mut self, datagram: &[u8]) -> Vec<Action> {
        let now = self.clock.now();
        let Some(client) = &mut self.client else {
            return Vec::new();
        };
        client.take(datagram, now).unwrap_or_else(|ignored| {
            tracing::debug!("a datagram is passed over: {ignored}");
            Vec::new()
        })
    }

    fn release(&mut self) -> Vec<Action> {
        let now = self.clock.now();
        self.client.as_mut().map_or_else(Vec::new, |client| client.release(now))
    }

    /// Looks at the interface and at the addresses that are being checked.
    async fn look(&mut self) -> Result<(Vec<Action>, Vec<What>), ClientError> {
        let interface = find(&self.network, &self.options.interface).await?;
        if interface.index != self.index {
            return Err(ClientError::NoInterface(self.options.interface.clone()));
        }
        let usable = interface.running && self.network.link_local(self.index).await?.is_some();
        match (self.attached, usable) {
            (false, true) => {
                self.attach();
                Ok((Vec::new(), vec![What::LinkUp]))
            }
            (true, false) => {
                // The kernel may take the addresses away now, which says nothing of anyone else.
                self.attached = false;
                self.checking.clear();
                self.ready.clear();
                Ok((Vec::new(), vec![What::LinkDown]))
            }
            (true, true) => self.check_addresses().await,
            (false, false) => Ok((Vec::new(), Vec::new())),
        }
    }

    /// The interface can be used: begins, or asks whether what there is still fits.
    fn attach(&mut self) {
        self.attached = true;
        let now = self.clock.now();
        if let Some(client) = &mut self.client {
            client.reattach(now);
            return;
        }
        let settings = ClientSettings {
            duid: self.duid.clone(),
            iaid: identity::association(&self.options.interface),
            wants: self.options.wants,
            rapid_commit: self.options.rapid_commit,
            hostname: self.options.hostname.clone(),
        };
        // Without random numbers there is no telling clients apart by their pauses; that is no reason not to begin.
        let key = identity::random().unwrap_or_default();
        self.client = Some(Client::new(settings, key, self.remembered.take(), now));
    }

    /// What duplicate address detection found.
    async fn check_addresses(&mut self) -> Result<(Vec<Action>, Vec<What>), ClientError> {
        let (mut actions, mut seen) = (Vec::new(), Vec::new());
        for address in self.checking.clone() {
            match self.network.address_state(self.index, address).await? {
                AddressState::Tentative => continue,
                AddressState::Ready => {
                    self.ready.insert(address);
                    seen.push(What::Ready(address));
                }
                AddressState::Duplicate | AddressState::Absent => {
                    seen.push(What::Duplicate(address));
                    let now = self.clock.now();
                    let declined = self.client.as_mut().map(|client| client.decline(address, now));
                    actions.extend(declined.unwrap_or_default());
                }
            }
            self.checking.remove(&address);
        }
        Ok((actions, seen))
    }

    /// Does what the protocol wants, in order. What it tells is told when it is done and written down.
    async fn carry_out(
        &mut self,
        actions: Vec<Action>,
        report: &mut impl FnMut(Report) -> io::Result<()>,
    ) -> Result<(), ClientError> {
        let mut told = Vec::new();
        for action in actions {
            match action {
                Action::Send(datagram) => self.send(&datagram),
                Action::Assign(lease) => self.lend(&lease).await?,
                Action::Withdraw(Leased::Address(address)) => {
                    self.checking.remove(&address);
                    self.ready.remove(&address);
                    self.network.remove_address(self.index, address).await?;
                }
                // A prefix is for whoever runs the client: nothing of it is on this interface.
                Action::Withdraw(Leased::Prefix(_)) => {}
                Action::Tell(event) => {
                    match event {
                        Event::Bound(_) | Event::Informed { .. } => self.provided = true,
                        Event::Lost { .. } => {
                            let held = self.client.as_ref().and_then(Client::holdings);
                            self.provided &= held.is_some();
                        }
                        _ => {}
                    }
                    told.push(What::Protocol(event));
                }
            }
        }
        self.remember().await?;
        self.tell(told, report)
    }

    /// What is not sent is sent again, as what is lost on the way.
    fn send(&self, datagram: &[u8]) {
        if let Err(fault) = self.socket.send(datagram) {
            let fault = &fault as &dyn std::error::Error;
            tracing::debug!(error = fault, "a message could not be sent");
        }
    }

    async fn lend(&mut self, lease: &Lease) -> Result<(), ClientError> {
        let Some(address) = lease.leased.address() else {
            return Ok(());
        };
        let left = |until: i64| match until {
            i64::MAX => Duration::MAX,
            until => self.clock.until(until),
        };
        let (preferred, valid) = (left(lease.preferred_until), left(lease.valid_until));
        self.network.lend_address(self.index, address, preferred, valid).await?;
        if !self.ready.contains(&address) {
            self.checking.insert(address);
        }
        Ok(())
    }

    /// Writes down what is leased, when that is something else than before.
    async fn remember(&mut self) -> Result<(), ClientError> {
        let Some(client) = &self.client else {
            return Ok(());
        };
        if client.holdings() != self.kept.as_ref() {
            self.state
                .keep_holdings(&self.options.interface, client.holdings())
                .await?;
            self.kept = client.holdings().cloned();
        }
        Ok(())
    }

    fn tell(&self, seen: Vec<What>, report: &mut impl FnMut(Report) -> io::Result<()>) -> Result<(), ClientError> {
        let at = self.clock.now();
        for what in seen {
            report(Report { at, what }).map_err(|source| ClientError::System {
                doing: "report",
                source,
            })?;
        }
        Ok(())
    }

    fn too_late(&self) -> ClientError {
        ClientError::TimedOut {
            interface: self.options.interface.clone(),
            limit: self.options.timeout.unwrap_or_default(),
        }
    }
}

async fn find(network: &Network, name: &str) -> Result<Interface, ClientError> {
    let found = network.find_interface(name).await?;
    found.ok_or_else(|| ClientError::NoInterface(name.to_owned()))
}

/// What an earlier run was called, where that is what is chosen; else a new name, which is kept.
async fn choose_duid(state: &State, options: &Options, interface: &Interface) -> Result<Duid, ClientError> {
    let known = state.duid().await?;
    let chosen = options.duid.as_ref();
    if let Some(known) = known.filter(|known| chosen.is_none_or(|chosen| chosen.is_met_by(known))) {
        return Ok(known);
    }
    let duid = chosen
        .unwrap_or(&DuidChoice::LinkLayerTime)
        .make(&options.interface, interface.mac)?;
    state.keep_duid(&duid).await?;
    Ok(duid)
}
