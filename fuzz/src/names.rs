//! DNS: queries of any bytes, and names that clients of any kind claim.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use orchestrator_dns::{Answer, Book, ClientName, Directory, Label, Origins, ReverseZone, Transport, answer};
use orchestrator_model::{
    Endpoint, EndpointState, Endpoints, HostId, Id, ServiceEndpoints, ServicePort, Slot, Timestamp,
};

/// The most bytes of a response over UDP, with EDNS and without it.
const LARGEST: usize = 1232;
const WITHOUT_EDNS: usize = 512;
/// Bytes of a header.
const HEADER: usize = 12;

/// Asks by the bytes behind the first, which says how: by UDP or TCP, or as a name that a client claims.
pub fn run(input: &[u8]) {
    let Some((how, bytes)) = input.split_first() else {
        return;
    };
    static NAMES: OnceLock<Directory> = OnceLock::new();
    let names = NAMES.get_or_init(inhabited);
    match how % 3 {
        0 => check(names, bytes, Transport::Udp),
        1 => check(names, bytes, Transport::Tcp),
        _ => claim(bytes),
    }
}

/// A service with 40 instances.
fn inhabited() -> Directory {
    let mut book = Book::new(origins());
    let transport = orchestrator_model::Transport::Tcp;
    let ports: BTreeMap<_, _> = [("http".to_owned(), ServicePort { number: 80, transport })].into();
    let member = |number: u8| Endpoint {
        instance: Id::from_bytes([1, 0, 0, 0, 0, number]),
        version: 1,
        address: Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 0, number.into()),
        network: "br0".to_owned(),
        host: HostId::local(),
        state: EndpointState::Serving,
        ports: Arc::new(ports.clone()),
    };
    let service = ServiceEndpoints {
        ports: ports.clone(),
        members: (0..40)
            .map(|number| (Slot::numbered(number.into()), member(number)))
            .collect(),
        ..ServiceEndpoints::default()
    };
    book.set_endpoints(&Arc::new(Endpoints {
        index: 1,
        services: [("web".to_owned(), Arc::new(service))].into(),
    }));
    book.directory(1)
}

fn origins() -> Origins {
    let origins = Origins::new("home.arpa", &["service.consul".to_owned()], Duration::from_secs(5));
    Origins {
        reverse: "fd39::/64".parse().into_iter().flat_map(ReverseZone::all_of).collect(),
        ..origins.expect("these are names")
    }
}

fn check(names: &Directory, query: &[u8], transport: Transport) {
    let response = match answer(names, query, transport, query.len()) {
        Answer::Response(bytes, _) | Answer::Elsewhere(bytes) => bytes,
        Answer::Nothing => return,
    };
    assert!(query.len() >= HEADER && query[2] & 0x80 == 0, "a response is answered");
    assert_eq!(response[..2], query[..2], "the number");
    assert!(response[2] & 0x80 != 0, "it is a response");
    let has_edns = walk(&response);
    let room = if has_edns { LARGEST } else { WITHOUT_EDNS };
    assert!(
        transport == Transport::Tcp || response.len() <= room,
        "{} bytes",
        response.len()
    );
}

/// Walks a message to its end. Returns whether it has EDNS.
fn walk(message: &[u8]) -> bool {
    let count = |at: usize| usize::from(u16::from_be_bytes([message[at], message[at + 1]]));
    let mut at = HEADER;
    for _ in 0..count(4) {
        at = skip_name(message, at) + 4;
    }
    let mut has_edns = false;
    for _ in 0..count(6) + count(8) + count(10) {
        at = skip_name(message, at);
        has_edns |= count(at) == 41;
        at += 10 + count(at + 8);
    }
    assert_eq!(at, message.len(), "it ends where its records do");
    has_edns
}

/// The place behind a name. A pointer leads backwards.
fn skip_name(message: &[u8], mut at: usize) -> usize {
    loop {
        match message[at] {
            0 => return at + 1,
            length if length >= 0xc0 => {
                let target = usize::from(length & 0x3f) << 8 | usize::from(message[at + 1]);
                assert!(target < at, "a pointer leads forwards");
                return at + 2;
            }
            length => at += 1 + usize::from(length),
        }
    }
}

/// Two clients claim a name: the earlier has it, whatever it is, and nobody has a name of another kind.
fn claim(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let claimed = Label::of_host(&text);
    let mut book = Book::new(origins());
    for number in [2, 1] {
        let client = ClientName {
            claimed: claimed.clone(),
            since: Timestamp(number.into()),
            addresses: vec![Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 1, number.into())],
            instances: Vec::new(),
        };
        book.set_client(Id::from_bytes([0, 0, 0, 0, 0, number]), Some(client), Timestamp(9));
    }
    let [services, instances, clients] = book.sizes();
    assert!(services == 0 && instances == 0 && (2..=3).contains(&clients));
    let Some(label) = claimed else { return };
    let name = label.as_str();
    assert!((1..=63).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    let asked = query(&[name, "client", "home", "arpa"], 28, false);
    let Answer::Response(response, _) = answer(&book.directory(1), &asked, Transport::Udp, 0) else {
        panic!("{name} is not answered");
    };
    // A name that is written like an id is an id.
    if clients == 3 {
        assert_eq!(response[response.len() - 1], 1, "the earlier has the name");
    }
}

/// A query for a name and a type.
pub(crate) fn query(labels: &[&str], kind: u8, edns: bool) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)];
    for label in labels {
        bytes.push(u8::try_from(label.len()).expect("a label is short"));
        bytes.extend(label.bytes());
    }
    bytes.extend([0, 0, kind, 0, 1]);
    if edns {
        bytes.extend([0, 0, 41, 0xff, 0xff, 0, 0, 0, 0, 0, 0]);
    }
    bytes
}
