//! A client on the link: a socket at port 546 of a link-local address of its own, and a DUID.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use orchestrator_lab::{Namespace, poll, wait_for};
use orchestrator_wire::{
    ADVERTISE, CLIENT_ID, DECLINE, INFORMATION_REQUEST, INTERFACE_ID, Ia, Message, Prefix, RAPID_COMMIT, RELAY_MESSAGE,
    RELEASE, RENEW, REPLY, REQUEST, SERVER_ID, SERVER_UNICAST, SOLICIT, USE_MULTICAST, Xid, ia_na, message, option,
    option_request,
};

use crate::site::PATIENCE;

pub(crate) const SERVER_PORT: u16 = 547;
pub(crate) const CLIENT_PORT: u16 = 546;
/// All_DHCP_Relay_Agents_and_Servers.
pub(crate) const ALL_AGENTS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

/// SOL_TIMEOUT (section 7.6).
const RETRANSMISSION: Duration = Duration::from_secs(1);

/// A client that holds what it was given and checks every answer for what must hold in all of them.
pub(crate) struct Client {
    pub(crate) socket: UdpSocket,
    /// Its link-local address.
    pub(crate) address: Ipv6Addr,
    /// The index of its interface.
    pub(crate) index: u32,
    pub(crate) duid: Vec<u8>,
    server: OnceCell<Vec<u8>>,
    transactions: Cell<u32>,
}

/// Opens a socket on a machine's `eth0`.
pub(crate) fn bind(machine: &Namespace, address: Ipv6Addr, port: u16) -> (UdpSocket, u32) {
    machine.within(|| {
        let index = nix::net::if_::if_nametoindex("eth0").unwrap();
        // A program that another test starts holds a copy of a socket that was here, until it has replaced its image.
        let open = || UdpSocket::bind(SocketAddrV6::new(address, port, 0, index)).ok();
        let socket = poll("the client's port to be free", PATIENCE, open).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        (socket, index)
    })
}

/// The next datagram that comes to a socket, and where from.
#[track_caller]
pub(crate) fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut bytes = vec![0; 65_535];
    let (length, from) = loop {
        match socket.recv_from(&mut bytes) {
            Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
            received => break received.expect("the server answers"),
        }
    };
    bytes.truncate(length);
    (bytes, from)
}

impl Client {
    /// A client at an address that the machine's `eth0` has.
    pub(crate) fn at(machine: &Namespace, address: Ipv6Addr, duid: Vec<u8>) -> Self {
        let (socket, index) = bind(machine, address, CLIENT_PORT);
        Self {
            socket,
            address,
            index,
            duid,
            server: OnceCell::new(),
            transactions: Cell::new(0),
        }
    }

    /// Another client that speaks through the socket of this one.
    pub(crate) fn at_same(other: &Self, duid: Vec<u8>) -> Self {
        Self {
            socket: other.socket.try_clone().unwrap(),
            address: other.address,
            index: other.index,
            duid,
            server: OnceCell::new(),
            transactions: Cell::new(0x80_0000),
        }
    }

    /// A transaction id that it has not used.
    pub(crate) fn xid(&self) -> Xid {
        self.transactions.set(self.transactions.get() + 1);
        let [_, xid @ ..] = self.transactions.get().to_be_bytes();
        xid
    }

    /// Its client identifier option.
    pub(crate) fn id(&self) -> Vec<u8> {
        option(CLIENT_ID, &self.duid)
    }

    /// The server identifier option, which the server was asked for once.
    pub(crate) fn server_id(&self) -> Vec<u8> {
        let server = self.server.get_or_init(|| {
            let reply = self.ask(INFORMATION_REQUEST, &[]);
            reply.options.get(SERVER_ID).unwrap().to_vec()
        });
        option(SERVER_ID, server)
    }

    /// Sends bytes to all servers on the link.
    pub(crate) fn send(&self, bytes: &[u8]) {
        self.send_to(bytes, ALL_AGENTS);
    }

    /// Sends bytes to an address.
    pub(crate) fn send_to(&self, bytes: &[u8], to: Ipv6Addr) {
        let to = SocketAddrV6::new(to, SERVER_PORT, 0, self.index);
        assert_eq!(self.socket.send_to(bytes, to).unwrap(), bytes.len());
    }

    /// The next message that comes, and where from.
    pub(crate) fn receive_from(&self) -> (Message, SocketAddr) {
        let (bytes, from) = receive(&self.socket);
        (self.read(&bytes), from)
    }

    /// Reads a message that is for it.
    pub(crate) fn read(&self, bytes: &[u8]) -> Message {
        let message = Message::parse(bytes);
        check(&message, &self.duid);
        message
    }

    /// The next message that comes.
    pub(crate) fn receive(&self) -> Message {
        self.receive_from().0
    }

    /// A message of a kind about these associations, with the identifiers that the kind wants.
    pub(crate) fn about(&self, kind: u8, ias: &[Vec<u8>]) -> Vec<u8> {
        let names_server = matches!(kind, REQUEST | RENEW | RELEASE | DECLINE);
        let server = if names_server { self.server_id() } else { Vec::new() };
        let ias = if kind == INFORMATION_REQUEST {
            Vec::new()
        } else {
            ias.concat()
        };
        message(kind, self.xid(), &[self.id(), server, ias])
    }

    /// Asks with its client identifier and these options; nothing else may come before the answer.
    pub(crate) fn ask(&self, kind: u8, options: &[Vec<u8>]) -> Message {
        self.ask_as_is(kind, &[&[self.id()], options].concat())
    }

    /// Asks with its client identifier, the server's and these options.
    pub(crate) fn ask_server(&self, kind: u8, options: &[Vec<u8>]) -> Message {
        self.ask(kind, &[&[self.server_id()], options].concat())
    }

    /// Asks with these options alone.
    pub(crate) fn ask_as_is(&self, kind: u8, options: &[Vec<u8>]) -> Message {
        let xid = self.xid();
        self.send(&message(kind, xid, options));
        let answer = self.receive();
        assert_eq!(answer.xid, xid, "an answer to something else came before: {answer:?}");
        if answer.options.get(RAPID_COMMIT).is_none() {
            let expected = if kind == SOLICIT { ADVERTISE } else { REPLY };
            assert_eq!(answer.kind, expected, "{answer:?}");
        }
        answer
    }

    /// Solicits as clients do: again and again until there is an answer.
    pub(crate) fn insist(&self) -> Message {
        let bytes = message(SOLICIT, self.xid(), &[self.id(), ia_na(1, &[])]);
        self.socket.set_read_timeout(Some(RETRANSMISSION)).unwrap();
        let answer = wait_for("the server to answer", PATIENCE, || {
            self.send(&bytes);
            let mut answer = [0; 4096];
            let length = self.socket.recv(&mut answer).ok()?;
            Some(self.read(&answer[..length]))
        });
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        answer
    }

    /// Solicits for one identity association with these hints.
    pub(crate) fn solicit(&self, iaid: u32, hints: &[Ipv6Addr]) -> Ia {
        self.ask(SOLICIT, &[ia_na(iaid, hints)]).ia(iaid)
    }

    /// Requests for one identity association with these addresses.
    pub(crate) fn request(&self, iaid: u32, addresses: &[Ipv6Addr]) -> Ia {
        self.ask_server(REQUEST, &[ia_na(iaid, addresses)]).ia(iaid)
    }

    /// Solicits and requests an address for an identity association.
    pub(crate) fn lease(&self, iaid: u32) -> Ipv6Addr {
        let offered = self.solicit(iaid, &[]).leased().ip;
        let leased = self.request(iaid, &[offered]).leased().ip;
        assert_eq!(leased, offered);
        leased
    }

    /// Sends one kind of message about an address of an identity association.
    pub(crate) fn tell(&self, kind: u8, iaid: u32, address: Ipv6Addr) -> Message {
        self.ask_server(kind, &[ia_na(iaid, &[address])])
    }

    /// Everything that it may ask for.
    pub(crate) fn everything() -> Vec<u8> {
        option_request(&(1..=150).collect::<Vec<_>>())
    }
}

/// What must hold in every message of the server (rows 2, 30, 31, 32, 59, 60 and 61).
fn check(message: &Message, duid: &[u8]) {
    let options = &message.options;
    assert!(matches!(message.kind, ADVERTISE | REPLY), "{message:?}");
    assert!(options.get(SERVER_ID).is_some(), "no server identifier in {message:?}");
    if let Some(client) = options.get(CLIENT_ID) {
        assert_eq!(client, duid, "somebody else's client identifier");
    }
    for forbidden in [RELAY_MESSAGE, SERVER_UNICAST, INTERFACE_ID] {
        assert!(options.get(forbidden).is_none(), "option {forbidden} in {message:?}");
    }
    assert_ne!(options.status(), Some(USE_MULTICAST), "{message:?}");
    for ia in message.ias() {
        assert_ne!(ia.status, Some(USE_MULTICAST), "{message:?}");
        assert!(ia.t1 <= ia.t2, "{message:?}");
        assert!(
            ia.addresses.iter().all(|address| address.preferred <= address.valid),
            "{message:?}"
        );
    }
    for ia in message.ias_pd() {
        assert!(ia.t1 <= ia.t2, "{message:?}");
        let lives = |prefix: &Prefix| prefix.preferred <= prefix.valid;
        assert!(ia.prefixes.iter().all(lives), "{message:?}");
    }
    let times = message.ias().into_iter().map(|ia| (ia.t1, ia.t2));
    let times: BTreeSet<_> = times.chain(message.ias_pd().iter().map(|ia| (ia.t1, ia.t2))).collect();
    // An association with nothing but a status may have none.
    assert!(
        times.iter().filter(|times| **times != (0, 0)).count() <= 1,
        "{message:?}"
    );
}
