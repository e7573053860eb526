//! Options that the settings give: rows 3, 58, 67 and 68, and the RFCs that add options.

use std::net::Ipv6Addr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use orchestrator_lab::Dhclient;
use orchestrator_wire::{
    ADVERTISE, AFTR_NAME, BOOT_FILE_PARAMETERS, BOOT_FILE_URL, CAPTIVE_PORTAL, FQDN, INF_MAX_RT,
    INFORMATION_REFRESH_TIME, INFORMATION_REQUEST, NTP_SERVER, Options, POSIX_TIMEZONE, PREFERENCE, REBIND, RENEW,
    REQUEST, SNTP_SERVERS, SOL_MAX_RT, SOLICIT, VENDOR_CLASS, VENDOR_OPTIONS, ia_na, option, option_request,
};

use crate::site::{PATIENCE, POOL, Site, plain};

const SETTINGS: &str = r#"
[options]
ntp_servers = ["fd00::7b"]
sntp_servers = ["fd00::1", "fd00::2"]
information_refresh_time = "20m"
[[options.option]]
code = 41
type = "string"
value = "UTC"
[[options.option]]
code = 64
type = "domain"
value = "aftr.example.org"
"#;

const LINES: &str = r#"
preference = 255
domain_search = ["example.org"]
ntp_servers = ["fd00::7b", "ff05::101", "ntp.example.org"]
captive_portal = "https://portal.example.org/api"
boot_file_url = "tftp://[fd00::1]/boot.efi"
boot_file_parameters = ["root=/dev/sda", ""]
solicit_max_rt = "60s"
information_max_rt = "1d"
[[link.option]]
code = 41
type = "string"
value = "CET-1CEST"
[[link.vendor_option]]
enterprise = 43793
code = 1
type = "u16"
value = 7
[[link.vendor_option]]
enterprise = 9
code = 2
type = "hex"
value = "00:ff"
"#;

/// The site that these tests share, one test at a time.
fn configured() -> MutexGuard<'static, Site> {
    static SITE: OnceLock<Mutex<Site>> = OnceLock::new();
    let start = || {
        let link = crate::site::link("br0", crate::site::PREFIX, POOL, LINES);
        Mutex::new(Site::start_with(&format!("{SETTINGS}{link}")))
    };
    SITE.get_or_init(start).lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a new client is told in the answers to messages of all kinds, when it asks for these and sends those.
#[track_caller]
fn told(site: &Site, codes: &[u16], more: &[Vec<u8>]) -> Vec<(u8, Options)> {
    let client = site.client();
    let kinds = [SOLICIT, REQUEST, RENEW, REBIND, INFORMATION_REQUEST];
    let ask = |kind: u8| {
        let server = if matches!(kind, REQUEST | RENEW) {
            client.server_id()
        } else {
            Vec::new()
        };
        let ia = if kind == INFORMATION_REQUEST {
            Vec::new()
        } else {
            ia_na(1, &[])
        };
        let answer = client.ask(kind, &[&[server, ia, option_request(codes)], more].concat());
        (kind, answer.options)
    };
    kinds.map(ask).to_vec()
}

#[test]
fn row_03_preference_is_255_by_default_and_only_in_advertises() {
    let site = configured();
    for (kind, options) in told(&site, &[PREFERENCE], &[]) {
        let expected = (kind == SOLICIT).then_some(&[255][..]);
        assert_eq!(options.get(PREFERENCE), expected, "to {kind}");
    }
    drop(site);
    let site = plain();
    let advertise = site
        .client()
        .ask(SOLICIT, &[ia_na(1, &[]), option_request(&[PREFERENCE])]);
    let preference = advertise.options.get(PREFERENCE);
    assert_eq!((advertise.kind, preference), (ADVERTISE, Some(&[255][..])));
}

#[test]
fn row_58_each_option_comes_to_who_asks_for_it() {
    let site = configured();
    let of = |address: &str| address.parse::<Ipv6Addr>().unwrap().octets();
    let expected: [(u16, Vec<Vec<u8>>); 8] = [
        (
            NTP_SERVER,
            vec![
                [&[0, 1, 0, 16][..], &of("fd00::7b")].concat(),
                [&[0, 2, 0, 16][..], &of("ff05::101")].concat(),
                b"\x00\x03\x00\x11\x03ntp\x07example\x03org\x00".to_vec(),
            ],
        ),
        (SNTP_SERVERS, vec![[of("fd00::1"), of("fd00::2")].concat()]),
        (CAPTIVE_PORTAL, vec![b"https://portal.example.org/api".to_vec()]),
        (BOOT_FILE_URL, vec![b"tftp://[fd00::1]/boot.efi".to_vec()]),
        (BOOT_FILE_PARAMETERS, vec![b"\x00\x0droot=/dev/sda\x00\x00".to_vec()]),
        (POSIX_TIMEZONE, vec![b"CET-1CEST".to_vec()]),
        (AFTR_NAME, vec![b"\x04aftr\x07example\x03org\x00".to_vec()]),
        (SOL_MAX_RT, vec![60_u32.to_be_bytes().to_vec()]),
    ];
    let all: Vec<u16> = expected.iter().map(|(code, _)| *code).collect();
    for (code, bodies) in &expected {
        for (kind, options) in told(&site, &[*code], &[]) {
            assert!(
                options.all(*code).eq(bodies.iter().map(Vec::as_slice)),
                "{code} to {kind}: {options:?}"
            );
            let others = options
                .codes()
                .into_iter()
                .filter(|other| other != code && all.contains(other));
            assert_eq!(others.count(), 0, "{code} to {kind}: {options:?}");
        }
    }
}

#[test]
fn row_67_refresh_time_only_in_replies_to_information_requests() {
    let site = configured();
    for (kind, options) in told(&site, &[INFORMATION_REFRESH_TIME], &[]) {
        let expected = (kind == INFORMATION_REQUEST).then(|| 1200_u32.to_be_bytes());
        assert_eq!(
            options.get(INFORMATION_REFRESH_TIME),
            expected.as_ref().map(<[u8; 4]>::as_slice),
            "to {kind}"
        );
    }
}

#[test]
fn row_68_longest_pauses_are_told_within_their_bounds() {
    let site = configured();
    for (kind, options) in told(&site, &[SOL_MAX_RT, INF_MAX_RT], &[]) {
        let times = (options.get(SOL_MAX_RT), options.get(INF_MAX_RT));
        let (least, most) = (60_u32.to_be_bytes(), 86_400_u32.to_be_bytes());
        assert_eq!(times, (Some(&least[..]), Some(&most[..])), "to {kind}");
    }
}

#[test]
fn row_67_and_68_times_out_of_their_bounds_are_refused_and_clients_are_told_the_old_ones() {
    let site = Site::start(
        POOL,
        "solicit_max_rt = \"60s\"\ninformation_max_rt = \"1d\"\ninformation_refresh_time = \"10m\"",
    );
    let all = [SOL_MAX_RT, INF_MAX_RT, INFORMATION_REFRESH_TIME];
    let before = told(&site, &all, &[]);
    for line in [
        "solicit_max_rt = \"59s\"",
        "solicit_max_rt = \"86401s\"",
        "information_max_rt = \"59s\"",
        "information_max_rt = \"86401s\"",
        "information_refresh_time = \"599s\"",
    ] {
        site.write(&crate::site::link("br0", crate::site::PREFIX, POOL, line));
        assert_eq!(site.daemon.api("POST", "/v1/settings/reload").unwrap().0, 422, "{line}");
        for ((kind, options), (_, before)) in told(&site, &all, &[]).iter().zip(&before) {
            assert!(
                all.iter().all(|code| options.get(*code) == before.get(*code)),
                "{line} to {kind}"
            );
        }
    }
    let (_, informed) = &before[before.len() - 1];
    assert_eq!(informed.get(INFORMATION_REFRESH_TIME), Some(&600_u32.to_be_bytes()[..]));
}

/// RFC 9915, section 21.17.
#[test]
fn vendor_options_come_to_clients_of_the_vendor() {
    let site = configured();
    let of_9 = [0, 0, 0, 9, 0, 2, 0, 2, 0, 0xff];
    let ours = [0, 0, 0xab, 0x11, 0, 1, 0, 2, 0, 7];
    let class = option(VENDOR_CLASS, b"\x00\x00\x00\x09\x00\x03box");
    for (codes, more, expected) in [
        (&[][..], vec![], vec![]),
        (&[VENDOR_OPTIONS], vec![], vec![&of_9[..], &ours]),
        (&[], vec![class.clone()], vec![&of_9]),
        (&[], vec![option(VENDOR_OPTIONS, &[0, 0, 0xab, 0x11])], vec![&ours]),
        (
            &[VENDOR_OPTIONS],
            vec![option(VENDOR_CLASS, b"\x00\x00\x00\x04\x00\x01x")],
            vec![],
        ),
    ] {
        for (kind, options) in told(&site, codes, &more) {
            let told: Vec<_> = options.all(VENDOR_OPTIONS).collect();
            assert_eq!(told, expected, "to {kind}");
        }
    }
}

/// RFC 4704: we change no DNS (N), override who wants it changed (O), and complete what is not complete.
#[test]
fn the_clients_name_is_answered() {
    let site = configured();
    for (sent, answered) in [
        (
            &b"\x01\x06laptop"[..],
            Some(&b"\x06\x06laptop\x07example\x03org\x00"[..]),
        ),
        (b"\x00\x06laptop\x03lan\x00", Some(b"\x04\x06laptop\x03lan\x00")),
        (b"\x00\x3flaptop", None),
        (b"\x00\xc0\x00", None),
    ] {
        for (kind, options) in told(&site, &[FQDN], &[option(FQDN, sent)]) {
            let expected = answered.filter(|_| kind != INFORMATION_REQUEST);
            assert_eq!(options.get(FQDN), expected, "to {kind}");
        }
        assert!(
            told(&site, &[], &[option(FQDN, sent)])
                .iter()
                .all(|(_, options)| options.get(FQDN).is_none())
        );
    }
}

#[test]
fn a_real_client_reads_them() {
    let site = configured();
    let machine = site.connect("dhclient");
    let asks = "also request dhcp6.sntp-servers, dhcp6.bootfile-url, dhcp6.bootfile-param, dhcp6.fqdn, dhcp6.aftr-name, \
                dhcp6.new-posix-timezone, dhcp6.solmax-rt;\nsend fqdn.fqdn \"laptop\";";
    let mut client = Dhclient::boot_with(&machine, "eth0", asks).unwrap();
    client.address(PATIENCE).unwrap();
    let leases = client.leases().unwrap();
    for line in [
        "option dhcp6.domain-search \"example.org.\";",
        "option dhcp6.sntp-servers fd00::1,fd00::2;",
        "option dhcp6.bootfile-url \"tftp://[fd00::1]/boot.efi\";",
        "option fqdn.fqdn \"laptop.example.org\";",
        "option dhcp6.aftr-name aftr.example.org.;",
        "option dhcp6.new-posix-timezone \"CET-1CEST\";",
        "option dhcp6.solmax-rt 60;",
    ] {
        assert!(leases.contains(line), "no {line} in {leases}");
    }
    client.release().unwrap();
}
