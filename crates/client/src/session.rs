//! One run of the client, from the moment when the interface exists until the client is stopped.

use std::io;
use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_dhcp6::client::{Action, Client, ClientSettings, Event, Holdings, Lease};
use orchestrator_dhcp6::{Duid, Leased};
use orchestrator_network::{Interface, Network};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::addresses::{Addresses, Checked};
use super::clock::Clock;
use super::identity::{self, DuidChoice};
use super::passed_over::PassedOver;
use super::report::{Report, What};
use super::socket::{ClientSocket, Received};
use super::state::State;
use super::{ClientError, Options};

/// The longest sleep. Timers stop while the machine sleeps, but leases still end.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// The time limit for releasing leases. The retransmissions of RFC 9915, section 18.2.7 take sixteen seconds.
const RELEASING: Duration = Duration::from_secs(20);

/// The socket and netlink connection of a client. Their network namespace is where the client runs.
pub struct Attached {
    /// The namespace of the interface.
    pub network: Network,
    /// The client's socket on the interface: see [`open_socket`](super::open_socket).
    pub socket: std::net::UdpSocket,
    /// Stops the client. The first message makes it release its leases, unless it is to keep them; the second one ends
    /// it at once. A dropped sender stops nothing.
    pub stop: mpsc::Receiver<()>,
}

/// Gets a lease for an interface, keeps it until `stop` is signalled, and reports events.
///
/// # Errors
///
/// When the client cannot begin or continue, or when the first lease takes too long.
pub async fn run(
    options: &Options,
    attached: Attached,
    report: impl FnMut(Report) -> io::Result<()>,
) -> Result<(), ClientError> {
    let Attached { network, socket, stop } = attached;
    let (changes, changed) = mpsc::channel(1);
    let session = async {
        let session = Session::begin(options, network.clone(), socket, report).await?;
        session.keep_going(stop, changed).await
    };
    tokio::select! {
        outcome = session => outcome,
        blind = network.watch_interfaces(changes) => Err(blind.into()),
    }
}

/// A client on its interface.
struct Session<'a, R> {
    options: &'a Options,
    network: Network,
    clock: Clock,
    state: State,
    index: u32,
    socket: ClientSocket,
    settings: ClientSettings,
    key: [u8; 16],
    /// The protocol's state; `None` until the interface can be used.
    client: Option<Client>,
    /// Whether the interface can be used.
    attached: bool,
    addresses: Addresses,
    /// The leases that were written to disk last.
    kept: Option<Holdings>,
    /// Whether the client has a lease of everything that it asks for.
    provided: bool,
    /// The datagrams that were ignored.
    passed_over: PassedOver,
    report: R,
}

/// The reason for which the loop woke up.
enum Woken {
    /// The interface, or its addresses, may have changed.
    Changed,
    Time,
    Datagram(Received),
    /// The caller asked it to stop.
    Stopped,
    TooLate,
}

impl<'a, R: FnMut(Report) -> io::Result<()>> Session<'a, R> {
    async fn begin(
        options: &'a Options,
        network: Network,
        socket: std::net::UdpSocket,
        report: R,
    ) -> Result<Self, ClientError> {
        let name = &options.interface;
        let interface = find(&network, name).await?;
        let state = State::open(&options.state).await?;
        let settings = ClientSettings {
            duid: choose_duid(&state, options, &interface).await?,
            iaid: identity::association(name),
            wants: options.wants,
            rapid_commit: options.rapid_commit,
            reconfigure: options.reconfigure,
            hostname: options.hostname.clone(),
        };
        let socket = ClientSocket::new(socket, interface.index).map_err(|source| ClientError::Socket {
            interface: name.clone(),
            source,
        })?;
        Ok(Self {
            options,
            addresses: Addresses::new(network.clone(), interface.index),
            network,
            clock: Clock::start(),
            kept: state.holdings(name).await?,
            state,
            index: interface.index,
            socket,
            settings,
            key: identity::random()?,
            client: None,
            attached: false,
            provided: false,
            passed_over: PassedOver::default(),
            report,
        })
    }

    /// Runs the loop until the client ends.
    async fn keep_going(
        mut self,
        mut stop: mpsc::Receiver<()>,
        mut changed: mpsc::Receiver<()>,
    ) -> Result<(), ClientError> {
        let mut deadline = self.options.timeout.map(|limit| Instant::now() + limit);
        let mut releasing = false;
        loop {
            let actions = match self.wait(deadline, &mut stop, &mut changed).await? {
                Woken::Changed => self.look().await?,
                Woken::Time => self.wake(),
                Woken::Datagram(received) => self.hear(&received)?,
                Woken::Stopped if releasing || self.options.keep => return Ok(()),
                Woken::Stopped => {
                    (releasing, deadline) = (true, Some(Instant::now() + RELEASING));
                    self.release()
                }
                Woken::TooLate if releasing => return Ok(()),
                Woken::TooLate => return Err(self.too_late()),
            };
            self.carry_out(actions).await?;
            if self.provided && !releasing {
                deadline = None;
            }
            let over = releasing && self.client.as_ref().is_none_or(Client::is_done);
            if over || (self.options.once && self.provided && self.addresses.are_ready()) {
                return Ok(());
            }
        }
    }

    async fn wait(
        &mut self,
        deadline: Option<Instant>,
        stop: &mut mpsc::Receiver<()>,
        changed: &mut mpsc::Receiver<()>,
    ) -> Result<Woken, ClientError> {
        let due = self.client.as_ref().and_then(Client::next);
        let sleep = due.map_or(LONGEST_SLEEP, |due| self.clock.until(due).min(LONGEST_SLEEP));
        let patience = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        Ok(tokio::select! {
            Some(()) = stop.recv() => Woken::Stopped,
            () = patience => Woken::TooLate,
            Some(()) = changed.recv() => Woken::Changed,
            received = self.socket.receive() => {
                let received = received.map_err(|source| ClientError::Receive {
                    interface: self.options.interface.clone(),
                    source,
                })?;
                Woken::Datagram(received)
            }
            () = tokio::time::sleep(sleep) => Woken::Time,
        })
    }

    fn wake(&mut self) -> Vec<Action> {
        let now = self.clock.now();
        self.client.as_mut().map_or_else(Vec::new, |client| client.wake(now))
    }

    /// Passes a datagram to the protocol. Datagrams from other than link-local addresses are ignored: servers and relay
    /// agents answer from link-local addresses, and no host beyond the link can.
    fn hear(&mut self, received: &Received) -> Result<Vec<Action>, ClientError> {
        let now = self.clock.now();
        let Some(client) = &mut self.client else {
            return Ok(Vec::new());
        };
        if !received.from.is_unicast_link_local() {
            self.pass_over(received.from, "its sender has no link-local address")?;
            return Ok(Vec::new());
        }
        match client.take(&received.datagram, now) {
            Ok(actions) => Ok(actions),
            Err(ignored) => {
                self.pass_over(received.from, &ignored.to_string())?;
                Ok(Vec::new())
            }
        }
    }

    /// Counts an ignored datagram, and reports it if that is wanted.
    fn pass_over(&mut self, from: Ipv6Addr, reason: &str) -> Result<(), ClientError> {
        tracing::debug!(%from, "a datagram is passed over: {reason}");
        self.passed_over.note(reason);
        if !self.options.verbose {
            return Ok(());
        }
        let reason = reason.to_owned();
        self.tell(What::PassedOver { from, reason })
    }

    fn release(&mut self) -> Vec<Action> {
        let now = self.clock.now();
        self.client.as_mut().map_or_else(Vec::new, |client| client.release(now))
    }

    /// Reads the state of the interface, and of the addresses whose duplicate address detection is under way.
    async fn look(&mut self) -> Result<Vec<Action>, ClientError> {
        let interface = find(&self.network, &self.options.interface).await?;
        if interface.index != self.index {
            return Err(ClientError::NoInterface(self.options.interface.clone()));
        }
        let usable = interface.running && self.network.link_local(self.index).await?.is_some();
        match (self.attached, usable) {
            (true, true) => return self.check_addresses().await,
            (false, false) => {}
            (false, true) => {
                self.attach();
                self.tell(What::LinkUp)?;
            }
            (true, false) => {
                self.attached = false;
                self.addresses.forget();
                self.tell(What::LinkDown)?;
            }
        }
        Ok(Vec::new())
    }

    /// Reacts to an interface that can be used: begins, or confirms that the leases still fit the link.
    fn attach(&mut self) {
        self.attached = true;
        let now = self.clock.now();
        match &mut self.client {
            Some(client) => client.reattach(now),
            none => *none = Some(Client::new(self.settings.clone(), self.key, self.kept.clone(), now)),
        }
    }

    async fn check_addresses(&mut self) -> Result<Vec<Action>, ClientError> {
        let mut actions = Vec::new();
        for checked in self.addresses.check().await? {
            match checked {
                Checked::Ready(address) => self.tell(What::Ready(address))?,
                Checked::Duplicate(address) => {
                    self.tell(What::Duplicate(address))?;
                    let now = self.clock.now();
                    let declined = self.client.as_mut().map(|client| client.decline(address, now));
                    actions.extend(declined.unwrap_or_default());
                }
            }
        }
        Ok(actions)
    }

    /// Carries out the protocol's actions in order. Events are reported after they were carried out and written to
    /// disk.
    async fn carry_out(&mut self, actions: Vec<Action>) -> Result<(), ClientError> {
        let mut events = Vec::new();
        for action in actions {
            match action {
                Action::Send(datagram) => self.send(&datagram),
                Action::Assign(lease) => self.lend(&lease).await?,
                Action::Withdraw(Leased::Address(address)) => self.addresses.withdraw(address).await?,
                // A prefix is only reported: the client puts nothing of it on the interface.
                Action::Withdraw(Leased::Prefix(_)) => {}
                Action::Tell(event) => events.push(event),
            }
        }
        self.remember().await?;
        for event in events {
            self.note(&event);
            self.tell(What::Protocol(event))?;
        }
        Ok(())
    }

    /// Updates whether the client has what it asks for.
    fn note(&mut self, event: &Event) {
        match event {
            Event::Bound(_) | Event::Informed { .. } => self.provided = true,
            Event::Lost { .. } => self.provided &= self.kept.is_some(),
            _ => {}
        }
    }

    /// A datagram that cannot be sent is retransmitted, like one that is lost on the way.
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
        // The address has ended meanwhile, and is removed in the next turn.
        if valid.is_zero() {
            return Ok(());
        }
        Ok(self.addresses.lend(address, preferred, valid).await?)
    }

    /// Stores the leases if they have changed.
    async fn remember(&mut self) -> Result<(), ClientError> {
        let Some(client) = &self.client else {
            return Ok(());
        };
        if client.holdings() != self.kept.as_ref() {
            let name = &self.options.interface;
            self.state.keep_holdings(name, client.holdings()).await?;
            self.kept = client.holdings().cloned();
        }
        Ok(())
    }

    fn tell(&mut self, what: What) -> Result<(), ClientError> {
        let at = self.clock.now();
        (self.report)(Report { at, what }).map_err(|source| ClientError::System {
            doing: "report",
            source,
        })
    }

    fn too_late(&self) -> ClientError {
        ClientError::TimedOut {
            interface: self.options.interface.clone(),
            limit: self.options.timeout.unwrap_or_default(),
            passed_over: self.passed_over.clone(),
        }
    }
}

async fn find(network: &Network, name: &str) -> Result<Interface, ClientError> {
    let found = network.find_interface(name).await?;
    found.ok_or_else(|| ClientError::NoInterface(name.to_owned()))
}

/// The DUID of an earlier run, if it is of the chosen type. Otherwise a new DUID, which is stored.
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
