//! The response to a query.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{AAAA, NS, PTR, SOA, SRV, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::directory::{Directory, Found};
use super::zone::Node;

/// The most that a response over UDP has, in bytes: what passes every link without fragments (DNS flag day 2020).
const LARGEST: u16 = 1232;
/// The most that a client without EDNS takes (RFC 1035, section 2.3.4).
const WITHOUT_EDNS: u16 = 512;
/// Bytes of a header. What is shorter is no message.
const HEADER: usize = 12;
/// For how long a name that does not exist may be taken for that, in seconds (RFC 2308).
const NEGATIVE: u32 = 1;

/// By what a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// UDP: a long response is cut, and the client asks again by TCP.
    Udp,
    /// TCP.
    Tcp,
}

/// What to do about a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Send these bytes.
    Response(Vec<u8>),
    /// The name is in none of our zones. Forward the query, or send these bytes, which refuse it.
    Elsewhere(Vec<u8>),
    /// Send nothing: it was no query.
    Nothing,
}

/// Answers a query. Of several addresses or ports, another one is the first with each `turn`.
pub fn answer(directory: &Directory, query: &[u8], transport: Transport, turn: usize) -> Answer {
    let Some(id) = query.first_chunk().copied().map(u16::from_be_bytes) else {
        return Answer::Nothing;
    };
    // A response is never answered, so that two servers do not talk for ever.
    let is_response = query.get(2).is_none_or(|flags| flags & 0x80 != 0);
    if query.len() < HEADER || is_response {
        return Answer::Nothing;
    }
    let Ok(asked) = Message::from_vec(query) else {
        return respond(
            Message::error_msg(id, OpCode::Query, ResponseCode::FormErr),
            transport,
            WITHOUT_EDNS,
        );
    };
    let mut response = Message::response(id, asked.metadata.op_code);
    response.metadata.recursion_desired = asked.metadata.recursion_desired;
    response.add_queries(asked.queries.iter().cloned());
    let largest = match &asked.edns {
        None => WITHOUT_EDNS,
        Some(edns) => {
            let mut own = Edns::new();
            own.set_max_payload(LARGEST).set_version(0);
            response.set_edns(own);
            edns.max_payload().clamp(WITHOUT_EDNS, LARGEST)
        }
    };
    let code = fill(directory, &asked, &mut response, turn);
    response.metadata.response_code = code.unwrap_or(ResponseCode::Refused);
    match (code, respond(response, transport, largest)) {
        (None, Answer::Response(refused)) => Answer::Elsewhere(refused),
        (_, answer) => answer,
    }
}

/// Fills the response. Returns its code; `None` if the name is none of ours.
fn fill(directory: &Directory, asked: &Message, response: &mut Message, turn: usize) -> Option<ResponseCode> {
    if asked.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        return Some(ResponseCode::BADVERS);
    }
    if asked.metadata.op_code != OpCode::Query || asked.metadata.message_type != MessageType::Query {
        return Some(ResponseCode::NotImp);
    }
    let [query] = asked.queries.as_slice() else {
        return Some(ResponseCode::FormErr);
    };
    if !matches!(query.query_class(), DNSClass::IN | DNSClass::ANY)
        || matches!(query.query_type(), RecordType::AXFR | RecordType::IXFR)
    {
        return Some(ResponseCode::Refused);
    }
    let found = directory.find(query.name());
    let filling = Filling { directory, query };
    let (mut records, origin) = match found {
        Found::NotOurs => return None,
        Found::Nothing { origin } => {
            response.metadata.authoritative = true;
            response.add_authority(filling.soa(origin, NEGATIVE));
            return Some(ResponseCode::NXDomain);
        }
        Found::Origin { origin } => (filling.of_origin(origin), origin),
        Found::Node { node, origin } => (filling.of_node(node, origin), origin),
        Found::Address { target, origin } => (filling.of_address(target), origin),
    };
    response.metadata.authoritative = true;
    if records.is_empty() {
        response.add_authority(filling.soa(origin, NEGATIVE));
        return Some(ResponseCode::NoError);
    }
    let turn = turn % records.len();
    records.rotate_left(turn);
    response.add_additionals(filling.addresses_of_hosts(&records, origin));
    response.add_answers(records);
    Some(ResponseCode::NoError)
}

/// The bytes of a response. One that is too long for its transport is empty and says so.
fn respond(mut response: Message, transport: Transport, largest: u16) -> Answer {
    let Ok(mut bytes) = response.to_vec() else {
        return Answer::Nothing;
    };
    if transport == Transport::Udp && bytes.len() > usize::from(largest) {
        response.metadata.truncation = true;
        response.answers.clear();
        response.authorities.clear();
        response.additionals.clear();
        match response.to_vec() {
            Ok(short) => bytes = short,
            Err(_) => return Answer::Nothing,
        }
    }
    Answer::Response(bytes)
}

/// The records that answer a query.
struct Filling<'d> {
    directory: &'d Directory,
    query: &'d Query,
}

impl Filling<'_> {
    fn ttl(&self) -> u32 {
        u32::try_from(self.directory.origins.ttl.as_secs()).unwrap_or(u32::MAX)
    }

    /// Whether records of this type are asked for. Who asks for all gets some (RFC 8482).
    fn wants(&self, kind: RecordType) -> bool {
        [kind, RecordType::ANY].contains(&self.query.query_type())
    }

    fn record(&self, data: RData) -> Record {
        Record::from_rdata(self.query.name().clone(), self.ttl(), data)
    }

    /// The origin that the name was found under: its last labels.
    fn origin(&self, labels: usize) -> Name {
        self.query.name().trim_to(labels)
    }

    /// The start of authority of the zone.
    fn soa(&self, origin: usize, ttl: u32) -> Record {
        let (server, serial) = (&self.directory.origins.server, self.directory.serial);
        let origin = self.origin(origin);
        let mailbox = origin.prepend_label("hostmaster").unwrap_or_else(|_| server.clone());
        let soa = SOA::new(server.clone(), mailbox, serial, 60, 10, 86_400, NEGATIVE);
        Record::from_rdata(origin, ttl, RData::SOA(soa))
    }

    fn of_origin(&self, origin: usize) -> Vec<Record> {
        let mut records = Vec::new();
        if self.wants(RecordType::SOA) {
            records.push(self.soa(origin, self.ttl()));
        }
        if self.wants(RecordType::NS) && records.is_empty() {
            records.push(self.record(RData::NS(NS(self.directory.origins.server.clone()))));
        }
        records
    }

    /// Records of the first type that the name has, of those that are asked for.
    fn of_node(&self, node: &Node, origin: usize) -> Vec<Record> {
        if self.wants(RecordType::AAAA) && !node.addresses.is_empty() {
            let addresses = node.addresses.iter();
            return addresses
                .map(|address| self.record(RData::AAAA(AAAA(*address))))
                .collect();
        }
        if self.wants(RecordType::SRV) && !node.ports.is_empty() {
            let origin = self.origin(origin);
            let records = node.ports.iter().filter_map(|(port, host)| {
                let host = Name::from_ascii(host).ok()?.append_domain(&origin).ok()?;
                Some(self.record(RData::SRV(SRV::new(0, 1, *port, host))))
            });
            return records.collect();
        }
        if self.wants(RecordType::TXT) && !node.about.is_empty() {
            return vec![self.record(RData::TXT(TXT::new(node.about.clone())))];
        }
        Vec::new()
    }

    fn of_address(&self, target: Option<&str>) -> Vec<Record> {
        let target = target.filter(|_| self.wants(RecordType::PTR));
        let name = target.and_then(|target| {
            let relative = Name::from_ascii(target).ok()?;
            relative.append_domain(&self.directory.origins.zone).ok()
        });
        name.map(|name| self.record(RData::PTR(PTR(name))))
            .into_iter()
            .collect()
    }

    /// The addresses of the hosts of SRV records, so that nobody must ask for them.
    fn addresses_of_hosts(&self, records: &[Record], origin: usize) -> Vec<Record> {
        let mut additional = Vec::new();
        for record in records {
            let RData::SRV(srv) = &record.data else { continue };
            let own = usize::from(srv.target.num_labels()).saturating_sub(origin);
            let labels: Vec<_> = srv.target.iter().take(own).map(String::from_utf8_lossy).collect();
            let Some(node) = self.directory.node(&labels.join(".")) else {
                continue;
            };
            additional.extend(
                node.addresses
                    .iter()
                    .map(|address| Record::from_rdata(srv.target.clone(), self.ttl(), RData::AAAA(AAAA(*address)))),
            );
        }
        additional
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{Facts, InstanceName, Origins, PortName, ReverseZone, ServiceName, Transmission};

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    /// A service with so many ready instances.
    fn directory(instances: u16) -> Directory {
        let origins = Origins {
            zone: name("home.arpa."),
            aliases: vec![name("consul.")],
            reverse: ReverseZone::new("fd39::/64".parse().unwrap()).into_iter().collect(),
            server: name("ns.home.arpa."),
            ttl: Duration::from_secs(5),
        };
        let instances = (0..instances).map(|number| InstanceName {
            name: format!("web-{number}").parse().unwrap(),
            addresses: vec![std::net::Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 0, number)],
            about: vec!["template=web".to_owned()],
        });
        let instances: Vec<InstanceName> = instances.collect();
        let facts = Facts {
            services: vec![ServiceName {
                name: "web".parse().unwrap(),
                ports: vec![PortName {
                    name: "http".parse().unwrap(),
                    transmission: Transmission::Tcp,
                    number: 80,
                }],
                ready: instances.iter().map(|instance| instance.name.clone()).collect(),
            }],
            instances,
            clients: Vec::new(),
        };
        Directory::new(origins, 42, &facts)
    }

    fn query(text: &str, kind: RecordType) -> Message {
        let mut message = Message::new(7, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(name(text), kind));
        message
    }

    fn ask(directory: &Directory, message: &Message, turn: usize) -> Message {
        match answer(directory, &message.to_vec().unwrap(), Transport::Udp, turn) {
            Answer::Response(bytes) => Message::from_vec(&bytes).unwrap(),
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
        assert_eq!(data(&response.answers), ["fd39::", "fd39::1"]);
        assert!(response.metadata.authoritative && response.metadata.recursion_desired);
        assert_eq!((response.metadata.id, response.answers[0].ttl), (7, 5));
        let response = ask(&directory, &query("_http._tcp.web.service.consul.", RecordType::SRV), 0);
        assert_eq!(
            data(&response.answers),
            ["0 1 80 web-0.instance.consul.", "0 1 80 web-1.instance.consul."]
        );
        assert_eq!(data(&response.additionals), ["fd39::", "fd39::1"]);
        assert_eq!(response.additionals[1].name, name("web-1.instance.consul."));
        let response = ask(&directory, &query("web.service.consul.", RecordType::SRV), 0);
        assert_eq!(response.answers.len(), 2);
    }

    #[test]
    fn each_turn_has_another_first() {
        let directory = directory(3);
        let asked = query("web.service.home.arpa.", RecordType::AAAA);
        let first = |turn| data(&ask(&directory, &asked, turn).answers).remove(0);
        assert_eq!(
            [first(0), first(1), first(2), first(3)],
            ["fd39::", "fd39::1", "fd39::2", "fd39::"]
        );
        assert_eq!(first(usize::MAX), "fd39::");
    }

    #[test]
    fn an_address_has_the_name_of_its_instance() {
        let address = Name::from("fd39::1".parse::<std::net::Ipv6Addr>().unwrap());
        let response = ask(&directory(2), &query(&address.to_ascii(), RecordType::PTR), 0);
        assert_eq!(data(&response.answers), ["web-1.instance.home.arpa."]);
    }

    #[test]
    fn what_does_not_exist_or_has_nothing_of_the_type_says_who_says_so() {
        let directory = directory(1);
        for (asked, kind, code) in [
            ("db.service.home.arpa.", RecordType::AAAA, ResponseCode::NXDomain),
            ("web.service.home.arpa.", RecordType::A, ResponseCode::NoError),
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
            assert_eq!(
                (response.authorities[0].name.clone(), response.authorities[0].ttl),
                (name("home.arpa."), 1)
            );
        }
    }

    #[test]
    fn a_zone_has_an_authority_and_a_server() {
        let directory = directory(1);
        let response = ask(&directory, &query("consul.", RecordType::SOA), 0);
        assert!(matches!(response.answers[0].data, RData::SOA(ref soa) if soa.serial == 42));
        let response = ask(&directory, &query("home.arpa.", RecordType::NS), 0);
        assert_eq!(data(&response.answers), ["ns.home.arpa."]);
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
    fn a_long_response_is_cut_on_udp_and_whole_on_tcp() {
        let directory = directory(100);
        let mut asked = query("web.service.home.arpa.", RecordType::AAAA);
        for (payload, most) in [(None, 512), (Some(100), 512), (Some(1000), 1000), (Some(65_535), 1232)] {
            asked.edns = payload.map(|payload| {
                let mut edns = Edns::new();
                edns.set_max_payload(payload);
                edns
            });
            let asked = asked.to_vec().unwrap();
            let Answer::Response(cut) = answer(&directory, &asked, Transport::Udp, 0) else {
                panic!()
            };
            assert!(cut.len() <= most, "{payload:?}");
            let cut = Message::from_vec(&cut).unwrap();
            assert!(cut.metadata.truncation && cut.answers.is_empty());
            assert_eq!(cut.edns.is_some(), payload.is_some());
            let Answer::Response(whole) = answer(&directory, &asked, Transport::Tcp, 0) else {
                panic!()
            };
            assert_eq!(Message::from_vec(&whole).unwrap().answers.len(), 100);
        }
    }

    #[test]
    fn what_is_no_query_of_ours_is_refused_or_not_answered() {
        let directory = directory(1);
        let code = |message: &Message| ask(&directory, message, 0).metadata.response_code;
        let mut two = query("consul.", RecordType::SOA);
        two.add_query(Query::query(name("consul."), RecordType::NS));
        assert_eq!(code(&two), ResponseCode::FormErr);
        let mut update = query("consul.", RecordType::SOA);
        update.metadata.op_code = OpCode::Update;
        assert_eq!(code(&update), ResponseCode::NotImp);
        assert_eq!(code(&query("consul.", RecordType::AXFR)), ResponseCode::Refused);
        let mut later = query("consul.", RecordType::SOA);
        let mut edns = Edns::new();
        edns.set_version(1);
        later.edns = Some(edns);
        // The same number has two names.
        assert_eq!(u16::from(code(&later)), u16::from(ResponseCode::BADVERS));
        let mut response = query("consul.", RecordType::SOA);
        response.metadata.message_type = MessageType::Response;
        let nothing = answer(&directory, &response.to_vec().unwrap(), Transport::Udp, 0);
        assert_eq!(nothing, Answer::Nothing);
        let mut cut = query("consul.", RecordType::SOA).to_vec().unwrap();
        cut.truncate(15);
        let Answer::Response(bytes) = answer(&directory, &cut, Transport::Udp, 0) else {
            panic!()
        };
        assert_eq!(
            Message::from_vec(&bytes).unwrap().metadata.response_code,
            ResponseCode::FormErr
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_or_not_and_never_with_more_than_fits(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
            question in proptest::option::of(0usize..3),
        ) {
            let mut bytes = bytes;
            if let Some(question) = question {
                let asked = ["web.service.home.arpa.", "consul.", "example.org."][question];
                let mut message = query(asked, RecordType::AAAA).to_vec().unwrap();
                for (at, byte) in bytes.iter().enumerate() {
                    let place = at * 7 % message.len();
                    message[place] ^= byte & 0x11;
                }
                bytes = message;
            }
            match answer(&directory(30), &bytes, Transport::Udp, 0) {
                Answer::Response(response) | Answer::Elsewhere(response) => {
                    prop_assert!(response.len() <= 1232);
                    prop_assert_eq!(&response[..2], &bytes[..2]);
                    prop_assert!(response[2] & 0x80 != 0);
                }
                Answer::Nothing => {}
            }
        }
    }
}
