//! Names are given to services, instances and clients, and are found.

use hickory_proto::rr::Name;
use orchestrator_model::{EndpointState, Endpoints, Slot};

use super::*;
use crate::names::Found;
use crate::testing::{address, client, endpoints, id, instance, origins};

/// After everybody came.
const NOW: Timestamp = Timestamp(100);

fn book() -> Book {
    Book::new(origins())
}

fn find<'d>(directory: &'d Directory, name: &str) -> Option<Found<'d>> {
    let asked = directory.find(&Name::from_ascii(name).unwrap())?;
    Some(asked.found)
}

/// The ends of the addresses of a name below `home.arpa`.
fn ends(directory: &Directory, name: &str) -> Option<Vec<u16>> {
    let end = |address: &Ipv6Addr| address.segments()[7];
    Some(match find(directory, &format!("{name}.home.arpa."))? {
        Found::Service(service) => service.hosts.iter().map(|host| end(&host.address)).collect(),
        Found::Host(host) => vec![end(&host.address)],
        Found::Instance(instance) => vec![end(&instance.addresses[0])],
        Found::Addresses(addresses) => addresses.iter().map(end).collect(),
        _ => return None,
    })
}

/// The name of an address.
fn target(directory: &Directory, end: u16) -> Option<String> {
    match find(directory, &Name::from(address(end)).to_ascii())? {
        Found::Address(label, below) => Some(format!("{label}.{below}")),
        Found::AddressOfInstance(id) => Some(format!("{id}.instance")),
        _ => None,
    }
}

#[test]
fn a_service_has_its_serving_instances_under_each_of_its_names() {
    let mut book = book();
    let mut all = endpoints(3);
    let members = &mut Arc::make_mut(all.services.get_mut("web").unwrap()).members;
    members.get_mut(&Slot::numbered(1)).unwrap().state = EndpointState::Draining;
    book.set_endpoints(&Arc::new(all));
    let directory = book.directory(1);
    assert_eq!(ends(&directory, "WEB.service"), Some(vec![0x100, 0x102]));
    assert_eq!(ends(&directory, "web-2.instance"), Some(vec![0x102]));
    assert_eq!(ends(&directory, "web-1.instance"), None, "it is draining");
    assert_eq!(target(&directory, 0x102).as_deref(), Some("web-2.instance"));
    assert_eq!(target(&directory, 0x101), None);
    let of_alias = find(&directory, "web.service.consul.");
    assert_eq!(of_alias, find(&directory, "web.service.home.arpa."));
    for name in ["_http._tcp.web.service.home.arpa.", "_HTTP._TCP.web.service.consul."] {
        assert!(
            matches!(find(&directory, name), Some(Found::Port { port, .. }) if port.number == 8080),
            "{name}"
        );
    }
}

#[test]
fn names_above_names_exist_and_others_do_not() {
    let mut book = book();
    book.set_endpoints(&Arc::new(endpoints(1)));
    let directory = book.directory(1);
    for (name, found) in [
        ("home.arpa.", Found::Origin),
        ("service.consul.", Found::Origin),
        ("service.home.arpa.", Found::Above),
        ("instance.home.arpa.", Found::Above),
        ("client.home.arpa.", Found::Above),
        ("_tcp.web.service.home.arpa.", Found::Above),
        ("_udp.web.service.consul.", Found::Above),
        ("_sctp.web.service.home.arpa.", Found::Nothing),
        ("http._tcp.web.service.home.arpa.", Found::Nothing),
        ("_dns._tcp.web.service.home.arpa.", Found::Nothing),
        ("x._http._tcp.web.service.home.arpa.", Found::Nothing),
        ("db.service.home.arpa.", Found::Nothing),
        ("other.home.arpa.", Found::Nothing),
        ("a\\.b.service.home.arpa.", Found::Nothing),
        ("web-7.instance.home.arpa.", Found::Nothing),
        ("0.0.0.0.0.0.0.0.0.0.0.0.9.3.d.f.ip6.arpa.", Found::Origin),
        ("0.0.0.0.0.0.0.0.0.0.0.0.0.9.3.d.f.ip6.arpa.", Found::Above),
    ] {
        assert_eq!(find(&directory, name), Some(found), "{name}");
    }
    assert_eq!(ends(&directory, "ns"), Some(vec![0x53]));
    for other in [
        "example.org.",
        "arpa.",
        "consul.",
        ".",
        "9.3.d.f.ip6.arpa.",
        "1.0.8.3.d.f.ip6.arpa.",
    ] {
        assert_eq!(find(&directory, other), None, "{other}");
    }
}

#[test]
fn a_service_without_instances_exists_and_one_that_is_gone_does_not() {
    let mut book = book();
    book.set_endpoints(&Arc::new(endpoints(1)));
    let before = book.directory(1);
    book.set_endpoints(&Arc::new(endpoints(0)));
    assert_eq!(ends(&book.directory(2), "web.service"), Some(vec![]));
    book.set_endpoints(&Arc::new(Endpoints::default()));
    let now = book.directory(3);
    assert_eq!(ends(&now, "web.service"), None);
    assert_eq!(target(&now, 0x100), None);
    assert_eq!(
        ends(&before, "web.service"),
        Some(vec![0x100]),
        "a directory never changes"
    );
}

#[test]
fn the_earliest_claimant_has_the_name_and_each_client_has_its_id() {
    let mut book = book();
    book.set_client(id(2), Some(client("laptop", 20, 2)), NOW);
    book.set_client(id(1), Some(client("laptop", 10, 1)), NOW);
    let directory = book.directory(1);
    assert_eq!(ends(&directory, "laptop.client"), Some(vec![1]));
    assert_eq!(ends(&directory, "000000000002.client"), Some(vec![2]));
    assert_eq!(target(&directory, 1).as_deref(), Some("laptop.client"));
    assert_eq!(target(&directory, 2).as_deref(), Some("000000000002.client"));
    book.set_client(id(1), None, NOW);
    let directory = book.directory(2);
    assert_eq!(ends(&directory, "laptop.client"), Some(vec![2]));
    assert_eq!(ends(&directory, "000000000001.client"), None);
    assert_eq!(target(&directory, 2).as_deref(), Some("laptop.client"));
    // It calls itself otherwise, and has another address.
    book.set_client(id(2), Some(client("desk", 30, 3)), NOW);
    let directory = book.directory(3);
    assert_eq!(ends(&directory, "laptop.client"), None);
    assert_eq!(ends(&directory, "desk.client"), Some(vec![3]));
    assert_eq!(target(&directory, 2), None);
}

#[test]
fn a_client_that_was_there_first_cannot_take_the_name_of_one_that_came_later() {
    let mut book = book();
    book.set_client(id(1), Some(client("desk", 10, 1)), NOW);
    book.set_client(id(2), Some(client("laptop", 20, 2)), NOW);
    book.set_client(id(1), Some(client("laptop", 10, 1)), NOW);
    assert_eq!(ends(&book.directory(1), "laptop.client"), Some(vec![2]));
    // It keeps its claim while it renews, and has the name when the other leaves.
    book.set_client(id(1), Some(client("laptop", 10, 3)), Timestamp(200));
    book.set_client(id(2), None, NOW);
    assert_eq!(ends(&book.directory(2), "laptop.client"), Some(vec![3]));
}

#[test]
fn what_is_recorded_again_changes_nothing() {
    let mut book = book();
    let record = |book: &mut Book| {
        book.set_endpoints(&Arc::new(endpoints(2)));
        book.set_client(id(1), Some(client("laptop", 10, 1)), NOW);
        book.set_instance(id(7), Some(instance(7, "0", 0x20)));
        book.take_changed()
    };
    assert_eq!([record(&mut book), record(&mut book)], [true, false]);
    book.set_client(id(1), None, NOW);
    assert!(book.take_changed());
}

#[test]
fn only_services_that_changed_are_named_anew() {
    const SERVICES: usize = 1000;
    let mut book = book();
    let [before, other] = [1, 2].map(|instances| endpoints(instances).services["web"].clone());
    let name = |number: usize| format!("s{number}");
    let mut all = Endpoints {
        index: 1,
        services: (0..SERVICES).map(|number| (name(number), before.clone())).collect(),
    };
    book.set_endpoints(&Arc::new(all.clone()));
    let first = book.directory(1);
    all.services.insert(name(7), other);
    all.services.remove(&name(8));
    all.services.insert(name(SERVICES), before);
    book.set_endpoints(&Arc::new(all));
    let second = book.directory(2);
    let is_same = |number: &usize| {
        let node = |directory: &Directory| directory.services.get(name(*number).as_str()).cloned();
        match (node(&first), node(&second)) {
            (Some(one), Some(other)) => Arc::ptr_eq(&one, &other),
            _ => false,
        }
    };
    let anew: Vec<usize> = (0..=SERVICES).filter(|number| !is_same(number)).collect();
    assert_eq!(anew, [7, 8, SERVICES]);
    assert_eq!(ends(&second, "s7.service"), Some(vec![0x100, 0x101]));
    assert_eq!(ends(&second, "s8.service"), None);
    assert_eq!(ends(&second, &format!("s{SERVICES}.service")), Some(vec![0x100]));
    assert_eq!(second.sizes()[0], SERVICES);
}

#[test]
fn a_change_that_no_name_shows_makes_no_other_directory() {
    let mut book = book();
    let mut all = endpoints(1);
    book.set_endpoints(&Arc::new(all.clone()));
    assert!(book.take_changed());
    let web = Arc::make_mut(all.services.get_mut("web").unwrap());
    web.sticky = true;
    web.index += 1;
    book.set_endpoints(&Arc::new(all));
    assert!(!book.take_changed());
}

#[test]
fn a_name_that_looks_like_an_id_cannot_be_claimed() {
    let mut book = book();
    book.set_client(id(2), Some(client("000000000001", 1, 2)), NOW);
    assert_eq!(ends(&book.directory(1), "000000000001.client"), None);
    book.set_client(id(1), Some(client("", 9, 1)), NOW);
    assert_eq!(ends(&book.directory(2), "000000000001.client"), Some(vec![1]));
}

#[test]
fn instances_of_a_client_are_found_by_id_and_below_their_client() {
    let mut book = book();
    let mut laptop = client("laptop", 1, 1);
    laptop.instances = vec![instance(7, "shell", 0x20), instance(8, "no_label", 0x21)];
    book.set_client(id(1), Some(laptop.clone()), NOW);
    let directory = book.directory(1);
    for name in [
        "000000000007.instance",
        "shell.laptop.client",
        "shell.000000000001.client",
    ] {
        assert_eq!(ends(&directory, name), Some(vec![0x20]), "{name}");
    }
    assert_eq!(ends(&directory, "x.laptop.client"), None);
    assert_eq!(ends(&directory, "a.shell.laptop.client"), None);
    assert_eq!(target(&directory, 0x20).as_deref(), Some("000000000007.instance"));
    assert_eq!(target(&directory, 0x1021).as_deref(), Some("000000000008.instance"));
    laptop.instances.remove(0);
    book.set_client(id(1), Some(laptop), NOW);
    let directory = book.directory(2);
    assert_eq!(ends(&directory, "shell.laptop.client"), None);
    assert_eq!(
        (target(&directory, 0x20), ends(&directory, "000000000007.instance")),
        (None, None)
    );
    assert_eq!(ends(&directory, "000000000008.instance"), Some(vec![0x21]));
}

#[test]
fn the_address_of_an_instance_has_its_name_whoever_else_holds_it() {
    let mut book = book();
    book.set_client(id(1), Some(client("evil", 1, 0x100)), NOW);
    book.set_instance(id(7), Some(instance(7, "0", 0x100)));
    assert_eq!(
        target(&book.directory(1), 0x100).as_deref(),
        Some("000000000007.instance")
    );
    book.set_endpoints(&Arc::new(endpoints(1)));
    assert_eq!(target(&book.directory(2), 0x100).as_deref(), Some("web-0.instance"));
    book.set_endpoints(&Arc::new(Endpoints::default()));
    book.set_instance(id(7), None);
    assert_eq!(target(&book.directory(3), 0x100).as_deref(), Some("evil.client"));
}

#[test]
fn another_zone_has_the_same_names() {
    let mut book = book();
    book.set_endpoints(&Arc::new(endpoints(1)));
    book.set_client(id(1), Some(client("laptop", 1, 1)), NOW);
    let other = Origins::new("lan", &[], std::time::Duration::from_secs(1)).unwrap();
    book.set_origins(other);
    let directory = book.directory(1);
    assert_eq!(find(&directory, "web.service.home.arpa."), None);
    let Some(Found::Service(service)) = find(&directory, "web.service.lan.") else {
        panic!("it is there");
    };
    assert_eq!(service.hosts[0].name, Name::from_ascii("web-0.instance.lan.").unwrap());
    assert!(matches!(
        find(&directory, "laptop.client.lan."),
        Some(Found::Addresses(_))
    ));
}
