//! Options beyond the commonest: rows 3 and 58, and the RFCs that add them.

use orchestrator_dhcp6::{OptionValue, TimeServer};
use orchestrator_wire::*;

use crate::lab::{Lab, address, client, server_id};

#[test]
fn row_3_preference_is_absent_unless_it_is_set() {
    let mut lab = Lab::new();
    let solicit = [client(1), ia_na(1, &[]), option_request(&[PREFERENCE])];
    assert_eq!(lab.say(SOLICIT, &solicit).options.get(PREFERENCE), None);
    for preference in [0, 255] {
        lab.link.preference = Some(preference);
        assert_eq!(
            lab.say(SOLICIT, &solicit).options.get(PREFERENCE),
            Some(&[preference][..])
        );
        let request = [client(1), server_id(), ia_na(1, &[])];
        assert_eq!(lab.say(REQUEST, &request).options.get(PREFERENCE), None);
    }
}

#[test]
fn each_time_server_has_an_option_of_its_own_in_their_order() {
    let mut lab = Lab::new();
    let servers = ["fd00::2", "ff05::101", "fd00::1"].map(|server| TimeServer::Address(address(server)));
    lab.link.options.set_ntp_servers(&servers);
    let read = lab.say(INFORMATION_REQUEST, &[option_request(&[NTP_SERVER])]);
    let told: Vec<_> = read.options.iter().filter(|option| option.0 == NTP_SERVER).collect();
    let body = |kind: u8, server: &str| [&[0, kind, 0, 16][..], &address(server).octets()].concat();
    let expected =
        [(1, "fd00::2"), (2, "ff05::101"), (1, "fd00::1")].map(|(kind, server)| (NTP_SERVER, body(kind, server)));
    assert_eq!(told, expected.iter().collect::<Vec<_>>());
    assert_eq!(
        lab.say(INFORMATION_REQUEST, &[option_request(&[DNS_SERVERS])])
            .options
            .len(),
        1
    );
}

#[test]
fn vendor_options_go_to_those_of_the_vendor_and_to_those_that_ask() {
    let mut lab = Lab::new();
    let options = &mut lab.link.options;
    options.set_vendor_option(311, 1, &OptionValue::Text("a".to_owned()));
    options.set_vendor_option(9, 2, &OptionValue::U8(7));
    let of_9 = vec![0, 0, 0, 9, 0, 2, 0, 1, 7];
    let of_311 = vec![0, 0, 1, 55, 0, 1, 0, 1, b'a'];
    let class = |enterprise: u32| vendor_class(enterprise, &["x"]);
    let mut told = |options: &[Vec<u8>]| {
        let read = lab.say(INFORMATION_REQUEST, options);
        let vendors = read.options.into_iter().filter(|option| option.0 == VENDOR_OPTIONS);
        vendors.map(|option| option.1).collect::<Vec<_>>()
    };
    assert!(told(&[option_request(&[DNS_SERVERS])]).is_empty());
    assert_eq!(
        told(&[option_request(&[VENDOR_OPTIONS])]),
        [of_9.clone(), of_311.clone()]
    );
    assert_eq!(told(&[class(9)]), std::slice::from_ref(&of_9));
    assert_eq!(told(&[class(9), class(311)]).len(), 2);
    assert_eq!(told(&[option(VENDOR_OPTIONS, &[0, 0, 1, 55])]), [of_311]);
    assert!(told(&[class(4), option_request(&[VENDOR_OPTIONS])]).is_empty());
}

/// RFC 4704, sections 4.1 and 6.
#[test]
fn the_name_is_answered_to_those_that_give_one_and_ask() {
    let mut lab = Lab::new();
    lab.link
        .options
        .set_domain_search(&["lan".parse().unwrap(), "other".parse().unwrap()]);
    let name = option(FQDN, b"\x01\x05phone");
    for (kind, server) in [
        (SOLICIT, Vec::new()),
        (REQUEST, server_id()),
        (RENEW, server_id()),
        (REBIND, Vec::new()),
    ] {
        let mut told = |options: &[Vec<u8>]| {
            let read = lab.say(kind, &[&[client(1), server.clone(), ia_na(1, &[])], options].concat());
            read.options.get(FQDN).map(<[u8]>::to_vec)
        };
        let expected = b"\x06\x05phone\x03lan\x00".to_vec();
        assert_eq!(told(&[name.clone(), option_request(&[FQDN])]), Some(expected));
        assert_eq!(told(&[option_request(&[FQDN])]), None);
        assert_eq!(told(std::slice::from_ref(&name)), None);
        assert_eq!(told(&[option(FQDN, b"\x01\x09phone"), option_request(&[FQDN])]), None);
    }
    assert_eq!(
        lab.say(INFORMATION_REQUEST, &[name, option_request(&[FQDN])])
            .options
            .get(FQDN),
        None
    );
}
