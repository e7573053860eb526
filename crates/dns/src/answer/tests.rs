//! Answers to queries, also hostile ones.

use std::sync::Arc;

use hickory_proto::rr::{Name, RData, Record};
use orchestrator_model::Route;
use proptest::prelude::*;

use super::*;
use crate::Book;
use crate::testing::{address, directory, endpoints, origins};

fn query(text: &str, kind: RecordType) -> Message {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(text).unwrap(), kind));
    message
}

fn ask(directory: &Directory, message: &Message, turn: usize) -> Message {
    match answer(directory, &message.to_vec().unwrap(), Transport::Udp, turn) {
        Answer::Response(bytes, _) => Message::from_vec(&bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn data(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| record.data.to_string()).collect()
}

#[test]
fn a_service_is_found_by_address_and_by_port() {
    let directory = directory(2);
    let response = ask(&directory, &query("web.service.home.arpa.", RecordType::AAAA), 0);
    assert_eq!(data(&response.answers), ["fd39::100", "fd39::101"]);
    assert!(response.metadata.authoritative && response.metadata.recursion_desired);
    assert_eq!((response.metadata.id, response.answers[0].ttl), (7, 5));
    let targets = [
        "0 1 8080 web-0.instance.home.arpa.",
        "0 1 8080 web-1.instance.home.arpa.",
    ];
    for name in ["_http._tcp.web.service.home.arpa.", "_http._tcp.web.service.consul."] {
        let response = ask(&directory, &query(name, RecordType::SRV), 0);
        assert_eq!(data(&response.answers), targets);
        assert_eq!(data(&response.additionals), ["fd39::100", "fd39::101"]);
        assert_eq!(response.additionals[1].name.to_ascii(), "web-1.instance.home.arpa.");
    }
    let response = ask(&directory, &query("web.service.consul.", RecordType::SRV), 0);
    let all = data(&response.answers);
    assert_eq!(all.len(), 4);
    assert!(
        targets.iter().all(|target| all.contains(&(*target).to_owned())),
        "{all:?}"
    );
}

#[test]
fn the_name_of_a_route_has_the_addresses_of_the_balancers_and_the_ports_of_the_instances() {
    let mut endpoints = endpoints(3);
    let mut balancer = endpoints.services["web"].clone();
    Arc::make_mut(&mut balancer).members.pop_first();
    endpoints.services.insert("balancer".to_owned(), balancer);
    if let Some(web) = endpoints.services.get_mut("web").map(Arc::make_mut) {
        web.routes = ["web.service.consul", "shop.home.arpa"].map(route).into();
    }
    let mut book = Book::new(origins());
    book.set_endpoints(&Arc::new(endpoints));
    let directory = book.directory(1);
    for name in ["web.service.consul.", "shop.home.arpa."] {
        let response = ask(&directory, &query(name, RecordType::AAAA), 0);
        assert_eq!(data(&response.answers), ["fd39::101", "fd39::102"], "{name}");
        let response = ask(&directory, &query(name, RecordType::A), 0);
        assert_eq!(response.metadata.response_code, ResponseCode::NoError, "{name}");
        assert!(response.answers.is_empty(), "{name}");
    }
    // Programs that ask for ports come to the instances, and so does the name that is no route's.
    let response = ask(&directory, &query("_http._tcp.web.service.consul.", RecordType::SRV), 0);
    assert_eq!(data(&response.additionals), ["fd39::100", "fd39::101", "fd39::102"]);
    let response = ask(&directory, &query("web.service.home.arpa.", RecordType::AAAA), 0);
    assert_eq!(data(&response.answers), ["fd39::100", "fd39::101", "fd39::102"]);
}

#[test]
fn a_wildcard_of_a_route_takes_no_name_that_exists_and_names_above_routes_exist() {
    let mut endpoints = endpoints(2);
    let mut balancer = endpoints.services["web"].clone();
    Arc::make_mut(&mut balancer).members.pop_first();
    endpoints.services.insert("balancer".to_owned(), balancer);
    if let Some(web) = endpoints.services.get_mut("web").map(Arc::make_mut) {
        web.routes = ["*.service.consul", "a.b.home.arpa"].map(route).into();
    }
    let mut book = Book::new(origins());
    book.set_endpoints(&Arc::new(endpoints));
    let directory = book.directory(1);
    let addresses = |name: &str| data(&ask(&directory, &query(name, RecordType::AAAA), 0).answers);
    assert_eq!(addresses("web.service.consul."), ["fd39::100", "fd39::101"]);
    assert_eq!(addresses("other.service.consul."), ["fd39::101"]);
    assert_eq!(addresses("a.b.home.arpa."), ["fd39::101"]);
    for (name, code) in [
        ("b.home.arpa.", ResponseCode::NoError),
        ("c.b.home.arpa.", ResponseCode::NXDomain),
    ] {
        let response = ask(&directory, &query(name, RecordType::AAAA), 0);
        assert_eq!(response.metadata.response_code, code, "{name}");
        assert!(response.answers.is_empty(), "{name}");
    }
}

fn route(host: &str) -> Route {
    Route {
        host: host.to_owned(),
        path: "/".to_owned(),
        port: "http".to_owned(),
        tls: None,
    }
}

#[test]
fn each_turn_has_another_first() {
    let directory = directory(3);
    let asked = query("web.service.home.arpa.", RecordType::AAAA);
    let first = |turn| data(&ask(&directory, &asked, turn).answers).remove(0);
    assert_eq!(
        [first(0), first(1), first(2), first(3)],
        ["fd39::100", "fd39::101", "fd39::102", "fd39::100"]
    );
    assert_eq!(first(usize::MAX), "fd39::100");
}

#[test]
fn an_address_has_the_name_of_its_instance_and_a_text_says_what_that_is() {
    let directory = directory(2);
    let reverse = Name::from(address(0x101)).to_ascii();
    let response = ask(&directory, &query(&reverse, RecordType::PTR), 0);
    assert_eq!(data(&response.answers), ["web-1.instance.home.arpa."]);
    let response = ask(&directory, &query("web-1.instance.home.arpa.", RecordType::TXT), 0);
    let text = data(&response.answers).remove(0);
    for part in ["service=web", "slot=1", "version=3"] {
        assert!(text.contains(part), "{text}");
    }
    let response = ask(&directory, &query("web.service.home.arpa.", RecordType::TXT), 0);
    assert_eq!(data(&response.answers), ["instances=2"]);
}

#[test]
fn what_does_not_exist_or_has_nothing_of_the_type_has_the_authority() {
    let directory = directory(1);
    for (asked, kind, code) in [
        ("db.service.home.arpa.", RecordType::AAAA, ResponseCode::NXDomain),
        ("web.service.home.arpa.", RecordType::A, ResponseCode::NoError),
        ("web.service.home.arpa.", RecordType::HTTPS, ResponseCode::NoError),
        ("web-0.instance.home.arpa.", RecordType::A, ResponseCode::NoError),
        ("service.home.arpa.", RecordType::AAAA, ResponseCode::NoError),
        ("_tcp.web.service.home.arpa.", RecordType::SRV, ResponseCode::NoError),
    ] {
        let response = ask(&directory, &query(asked, kind), 0);
        assert_eq!(
            (response.metadata.response_code, response.answers.len()),
            (code, 0),
            "{asked}"
        );
        assert!(matches!(response.authorities[0].data, RData::SOA(ref soa) if soa.serial == 42));
        let authority = &response.authorities[0];
        assert_eq!((authority.name.to_ascii().as_str(), authority.ttl), ("home.arpa.", 1));
    }
}

#[test]
fn a_zone_has_an_authority_and_a_server() {
    let directory = directory(1);
    let response = ask(&directory, &query("service.consul.", RecordType::SOA), 0);
    assert!(matches!(response.answers[0].data, RData::SOA(ref soa) if soa.serial == 42));
    let response = ask(&directory, &query("home.arpa.", RecordType::NS), 0);
    assert_eq!(data(&response.answers), ["ns.home.arpa."]);
    let response = ask(&directory, &query("ns.home.arpa.", RecordType::AAAA), 0);
    assert_eq!(data(&response.answers), ["fd39::53"]);
}

#[test]
fn other_names_are_elsewhere_and_the_response_refuses_them() {
    let asked = query("example.org.", RecordType::AAAA).to_vec().unwrap();
    let Answer::Elsewhere(refused) = answer(&directory(1), &asked, Transport::Udp, 0) else {
        panic!("it is not ours");
    };
    let refused = Message::from_vec(&refused).unwrap();
    assert_eq!(refused.metadata.response_code, ResponseCode::Refused);
    assert!(!refused.metadata.authoritative);
}

#[test]
fn a_long_response_has_what_fits_on_udp_and_is_whole_on_tcp() {
    let directory = directory(100);
    let mut asked = query("web.service.home.arpa.", RecordType::AAAA);
    for (payload, most) in [(None, 512), (Some(100), 512), (Some(1000), 1000), (Some(65_535), 1232)] {
        asked.edns = payload.map(|payload| {
            let mut edns = Edns::new();
            edns.set_max_payload(payload);
            edns
        });
        let asked = asked.to_vec().unwrap();
        let Answer::Response(cut, _) = answer(&directory, &asked, Transport::Udp, 99) else {
            panic!()
        };
        assert!(cut.len() <= most, "{payload:?}");
        let cut = Message::from_vec(&cut).unwrap();
        assert!(cut.metadata.truncation);
        assert!(cut.answers.len() >= (most - 100) / 28, "{}", cut.answers.len());
        assert_eq!(data(&cut.answers)[0], "fd39::163", "the turn is kept");
        assert_eq!(cut.edns.is_some(), payload.is_some());
        let Answer::Response(whole, _) = answer(&directory, &asked, Transport::Tcp, 0) else {
            panic!()
        };
        assert_eq!(Message::from_vec(&whole).unwrap().answers.len(), 100);
    }
}

#[test]
fn no_service_is_too_large_for_a_message() {
    let directory = directory(3000);
    for kind in [RecordType::AAAA, RecordType::SRV] {
        let asked = query("web.service.home.arpa.", kind).to_vec().unwrap();
        let Answer::Response(whole, Outcome::Records) = answer(&directory, &asked, Transport::Tcp, 7) else {
            panic!()
        };
        assert_eq!(Message::from_vec(&whole).unwrap().answers.len(), MOST_RECORDS);
    }
}

#[test]
fn what_is_no_query_of_ours_is_refused_or_not_answered() {
    let directory = directory(1);
    let code = |message: &Message| ask(&directory, message, 0).metadata.response_code;
    let origin = "home.arpa.";
    let mut two = query(origin, RecordType::SOA);
    two.add_query(Query::query(Name::from_ascii(origin).unwrap(), RecordType::NS));
    assert_eq!(code(&two), ResponseCode::FormErr);
    let mut update = query(origin, RecordType::SOA);
    update.metadata.op_code = OpCode::Update;
    assert_eq!(code(&update), ResponseCode::NotImp);
    assert_eq!(code(&query(origin, RecordType::AXFR)), ResponseCode::Refused);
    let mut later = query(origin, RecordType::SOA);
    let mut edns = Edns::new();
    edns.set_version(1);
    later.edns = Some(edns);
    // The same number has two names.
    assert_eq!(u16::from(code(&later)), u16::from(ResponseCode::BADVERS));
    let mut response = query(origin, RecordType::SOA);
    response.metadata.message_type = MessageType::Response;
    let nothing = answer(&directory, &response.to_vec().unwrap(), Transport::Udp, 0);
    assert_eq!(nothing, Answer::Nothing);
    let mut cut = query(origin, RecordType::SOA).to_vec().unwrap();
    cut.truncate(15);
    let Answer::Response(bytes, Outcome::Malformed) = answer(&directory, &cut, Transport::Udp, 0) else {
        panic!()
    };
    let fault = Message::from_vec(&bytes).unwrap();
    assert_eq!(fault.metadata.response_code, ResponseCode::FormErr);
}

proptest! {
    #[test]
    fn any_bytes_are_answered_or_not_and_never_with_more_than_fits(
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        question in proptest::option::of(0usize..3),
    ) {
        let mut bytes = bytes;
        if let Some(question) = question {
            let asked = ["web.service.home.arpa.", "service.consul.", "example.org."][question];
            let mut message = query(asked, RecordType::AAAA).to_vec().unwrap();
            for (at, byte) in bytes.iter().enumerate() {
                let place = at * 7 % message.len();
                message[place] ^= byte & 0x11;
            }
            bytes = message;
        }
        match answer(&directory(30), &bytes, Transport::Udp, 0) {
            Answer::Response(response, _) | Answer::Elsewhere(response) => {
                prop_assert!(response.len() <= 1232);
                prop_assert_eq!(&response[..2], &bytes[..2]);
                prop_assert!(response[2] & 0x80 != 0);
            }
            Answer::Nothing => {}
        }
    }
}
