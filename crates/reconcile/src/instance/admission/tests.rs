//! Admission, on facts in memory: what waits for what, in which order, and that nothing exceeds a limit.

mod order;
mod properties;
mod rules;

use orchestrator_model::{HostId, Id, InstanceId, InstanceSpec, Owner, Share, Slot, SlotKey, Timestamp};
use orchestrator_settings::LinkLimits;
use orchestrator_store::Promise;

use super::claim::{Claim, Size};
use super::limits::{HostLimits, Limits};
use super::queue::Request;
use super::{Admission, Answer};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// A moment so many milliseconds after [`NOW`].
fn at(later: i64) -> Timestamp {
    Timestamp(NOW.0 + later)
}

/// The slot of the client with this number.
fn key(client: u16) -> SlotKey {
    let [high, low] = client.to_be_bytes();
    SlotKey::new(
        Owner::Client(Id::from_bytes([0xc, 0, 0, 0, high, low])),
        Slot::new("web"),
    )
}

fn id(number: u16) -> InstanceId {
    let [high, low] = number.to_be_bytes();
    Id::from_bytes([0xa, 0, 0, 0, high, low])
}

/// The wish of a client behind this port of `br0`, since so many milliseconds after [`NOW`].
fn wish(client: u16, port: &str, since: i64) -> Request {
    Request {
        key: key(client),
        claim: Claim {
            host: HostId::local(),
            engine: "docker".to_owned(),
            template: "web".to_owned(),
            owner: key(client).owner,
            share: behind(port, None),
            size: Size {
                memory: 100,
                millicpus: 500,
                pids: 10,
                disk: 1000,
            },
        },
        since: at(since),
    }
}

fn behind(port: &str, address: Option<u8>) -> Share {
    Share {
        link: "br0".to_owned(),
        port: Some(port.to_owned()),
        link_layer: address.map(|last| format!("02:00:00:00:00:{last:02x}").parse().unwrap()),
    }
}

/// Like [`wish`], behind a port that several link-layer addresses share.
fn wish_of_address(client: u16, port: &str, address: u8, since: i64) -> Request {
    let mut request = wish(client, port, since);
    request.claim.share = behind(port, Some(address));
    request
}

/// Limits of which a host of so many instances is the only one.
fn host_of(instances: u64) -> Limits {
    let host = HostLimits {
        instances: Some(instances),
        ..HostLimits::default()
    };
    Limits {
        hosts: [(HostId::local(), host)].into(),
        ..Limits::default()
    }
}

fn link_of(limits: LinkLimits) -> Limits {
    Limits {
        links: [("br0".to_owned(), limits)].into(),
        ..Limits::default()
    }
}

const OPEN: LinkLimits = LinkLimits {
    instances: None,
    client_instances: None,
    port_instances: None,
    creations: None,
    identities: None,
};

/// Nothing is recorded, and that was read.
fn empty(limits: &Limits) -> Admission {
    let mut admission = Admission::default();
    admission.begin_reading();
    admission.finish_reading(&[], Vec::new(), limits, NOW);
    admission
}

/// Asks, and records the instance that is granted.
fn fill(admission: &mut Admission, request: Request, limits: &Limits, now: Timestamp) -> bool {
    let (number, key) = (number_of(&request.key), request.key.clone());
    let (answer, _) = admission.ask(request, limits, now);
    let is_granted = answer == Answer::Granted;
    if is_granted {
        admission.recorded(&key, id(number), now, false);
        admission.over(&key);
    }
    is_granted
}

/// The number of the client that owns a slot.
fn number_of(key: &SlotKey) -> u16 {
    let [.., high, low] = key.owner.client().unwrap().bytes();
    u16::from_be_bytes([high, low])
}

/// The clients that wait, in the order of their turns.
fn waiting(admission: &Admission) -> Vec<u16> {
    let turns = admission.queue.in_turn();
    turns.map(|waiting| number_of(&waiting.request.key)).collect()
}

/// What is recorded of an instance of a client.
fn promise(request: &Request, created: Timestamp, is_live: bool) -> Promise {
    Promise {
        id: id(number_of(&request.key)),
        key: request.key.clone(),
        host: Some(request.claim.host.clone()),
        engine: request.claim.engine.clone(),
        template: request.claim.template.clone(),
        spec: InstanceSpec::default(),
        share: request.claim.share.clone(),
        is_live,
        created,
    }
}

#[test]
fn a_host_promises_no_more_disk_than_its_limit() {
    let host = HostLimits {
        disk: Some(2500),
        ..HostLimits::default()
    };
    let limits = Limits {
        hosts: [(HostId::local(), host)].into(),
        ..Limits::default()
    };
    let mut admission = empty(&limits);
    let made = [1, 2, 3].map(|client| fill(&mut admission, wish(client, "eth1", 0), &limits, NOW));
    assert_eq!(
        made,
        [true, true, false],
        "two promise 2000, and a third would promise 3000"
    );
    assert_eq!(waiting(&admission), [3]);
    let declared = {
        let settings = orchestrator_settings::parse("", std::iter::empty()).unwrap();
        orchestrator_catalog::Declared::new(std::sync::Arc::new(settings), Vec::new())
    };
    let view = admission.view(&declared, &limits, Vec::new());
    let disk = view.hosts[0].disk;
    assert_eq!((disk.used, disk.limit), (2000, Some(2500)));
    let mut large = wish(4, "eth2", 0);
    large.claim.size.disk = 2501;
    let (answer, _) = admission.ask(large, &limits, NOW);
    assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
}
