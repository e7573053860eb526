//! Servers that put into their messages what no client reads: a client takes what it reads, and passes over the rest.

use std::io::ErrorKind;
use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use orchestrator_wire::{
    ADVERTISE, CLIENT_ID, DNS_SERVERS, INFORMATION_REFRESH_TIME, Message, PREFERENCE, RAPID_COMMIT, REPLY, SOL_MAX_RT,
    SOLICIT, VENDOR_OPTIONS, client_id, ia_address, ia_na_timed, message, option, option_claiming, server_id,
};

use crate::running::{leased, run, state};
use crate::site::Site;

const ALL_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
const ADDRESS: Ipv6Addr = Ipv6Addr::new(0xfd39, 0x9706, 0x2786, 0x6333, 0, 0, 0, 0x77);
const DNS: Ipv6Addr = Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 0, 0x53);
const OTHER_DNS: Ipv6Addr = Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 0, 0x54);

/// A server on the site's bridge that grants one address, byte by byte. Ends when dropped.
struct Server {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Puts `more` behind the options of every message, and has each changed before it leaves.
    fn start(site: &Site, more: Vec<u8>, change: fn(&mut Vec<u8>)) -> Self {
        let (socket, index) = site.host.within(|| {
            let index = nix::net::if_::if_nametoindex("br0").unwrap();
            let any = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 547, 0, 0);
            let socket = UdpSocket::bind(any).unwrap();
            socket.join_multicast_v6(&ALL_SERVERS, index).unwrap();
            (socket, index)
        });
        assert_ne!(index, 0);
        // Only so that the thread looks whether it is over.
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let seen = over.clone();
        let thread = std::thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                serve(&socket, &more, change);
            }
        });
        Self {
            over,
            thread: Some(thread),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            eprintln!("the server of the test has failed");
        }
    }
}

fn serve(socket: &UdpSocket, more: &[u8], change: fn(&mut Vec<u8>)) {
    let mut asked = [0; 2048];
    let (length, from) = match socket.recv_from(&mut asked) {
        Ok(received) => received,
        Err(fault) if matches!(fault.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
        Err(fault) => panic!("{fault}"),
    };
    let asked = Message::parse(&asked[..length]);
    let kind = if asked.kind == SOLICIT { ADVERTISE } else { REPLY };
    let [iaid] = asked.ias().iter().map(|ia| ia.iaid).collect::<Vec<_>>()[..] else {
        panic!("not one association in {asked:?}");
    };
    let mut answer = message(
        kind,
        asked.xid,
        &[
            client_id(asked.options.get(CLIENT_ID).unwrap()),
            server_id(&[0, 2, 0, 0, 0xab, 0x11, 9, 9]),
            ia_na_timed(iaid, (0, 0), &[ia_address(ADDRESS, 600, 900)]),
            option(DNS_SERVERS, &DNS.octets()),
            more.to_vec(),
        ],
    );
    change(&mut answer);
    socket.send_to(&answer, from).unwrap();
}

/// Runs the client until it has its lease; what it says of it.
fn granted(more: Vec<u8>, arguments: &[&str]) -> serde_json::Value {
    let site = Site::new();
    let _server = Server::start(&site, more, |_| {});
    let mut client = site.client(&[&["--once"], arguments].concat());
    let granted = client.event("granted");
    assert_eq!(leased(&granted), ADDRESS.to_string());
    assert_eq!(client.ready(), ADDRESS);
    assert_eq!(client.wait(), Some(0), "{}", client.log());
    granted
}

#[test]
fn an_option_zero_and_a_stray_byte_at_the_end_are_passed_over() {
    granted(vec![0, 0, 0, 0, 0], &[]);
}

#[test]
fn one_to_three_bytes_behind_the_last_option_are_passed_over() {
    for stray in 1..=3 {
        granted(vec![0; stray], &[]);
    }
}

#[test]
fn a_last_option_that_reaches_past_the_end_is_passed_over() {
    granted(option_claiming(99, 200, &[1, 2, 3]), &[]);
}

#[test]
fn dns_servers_of_an_option_that_comes_twice_are_taken_together() {
    let granted = granted(
        [
            option(DNS_SERVERS, &OTHER_DNS.octets()),
            option(DNS_SERVERS, &DNS.octets()),
        ]
        .concat(),
        &[],
    );
    let told = [DNS.to_string(), OTHER_DNS.to_string()];
    assert_eq!(granted["dns_servers"], serde_json::json!(told));
}

/// What nobody reads may have any length; what is read and has a wrong one is as good as absent.
#[test]
fn options_of_a_wrong_length_are_passed_over() {
    let more = [
        option(PREFERENCE, &[]),
        option(RAPID_COMMIT, &[1]),
        option(INFORMATION_REFRESH_TIME, &[1]),
        option(VENDOR_OPTIONS, &[0, 0, 0]),
        option(SOL_MAX_RT, &[9]),
    ];
    granted(more.concat(), &[]);
}

#[test]
fn at_the_timeout_it_says_how_many_answers_were_passed_over_and_why() {
    let site = Site::new();
    // The client identifier, which is the first option, is another's.
    let _server = Server::start(&site, Vec::new(), |answer| answer[10] ^= 1);
    let place = state(&site.machine);
    let arguments = ["-i", "eth0", "--timeout", "5", "--state", place.to_str().unwrap()];
    let (code, told) = run(&site.machine, &arguments);
    assert_eq!(code, Some(5), "{told}");
    assert!(
        told.contains("passed over") && told.contains("another client"),
        "{told}"
    );
    assert!(!told.contains("is there one on its link"), "there is one: {told}");
    let mut client = site.client(&["-v", "--timeout", "5"]);
    let event = client.event("passed-over");
    assert!(event["reason"].as_str().unwrap().contains("another client"), "{event}");
    assert!(event["from"].as_str().unwrap().starts_with("fe80:"), "{event}");
}
