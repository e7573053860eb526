use crate::{Faults, LinkSettings, parse};

const LINK: &str = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n";

fn link(text: &str) -> Result<LinkSettings, Faults> {
    parse(text, std::iter::empty()).map(|settings| settings.links[0].clone())
}

fn faults_of(lines: &str) -> String {
    link(&format!("{LINK}{lines}")).unwrap_err().to_string()
}

#[test]
fn what_a_link_does_not_say_holds_for_all_links() {
    let common = "[options]\ndns_servers = [\"fd00::53\"]\ncaptive_portal = \"https://a\"\n\
                  [[options.option]]\ncode = 41\ntype = \"string\"\nvalue = \"UTC\"\n";
    let of = |lines: &str| link(&format!("{common}{LINK}{lines}")).unwrap();
    let other = |lines: &str| link(&format!("{LINK}{lines}")).unwrap();
    let timezone = "[[link.option]]\ncode = 41\ntype = \"string\"\nvalue = \"UTC\"";
    assert_eq!(
        of(""),
        other(&format!(
            "dns_servers = [\"fd00::53\"]\ncaptive_portal = \"https://a\"\n{timezone}"
        ))
    );
    assert_eq!(
        of("dns = false\ndns_servers = []\ncaptive_portal = \"https://b\"\n"),
        other(&format!("dns = false\ncaptive_portal = \"https://b\"\n{timezone}"))
    );
}

#[test]
fn an_option_by_number_is_the_one_by_name() {
    let by_hex = |code: u16, hex: &str| {
        let lines = format!("[[link.option]]\ncode = {code}\ntype = \"hex\"\nvalue = \"{hex}\"");
        link(&format!("{LINK}{lines}")).unwrap().options
    };
    let by_type = |code: u16, kind: &str, value: &str| {
        let lines = format!("[[link.option]]\ncode = {code}\ntype = \"{kind}\"\nvalue = {value}");
        link(&format!("{LINK}{lines}")).unwrap().options
    };
    assert_eq!(by_type(41, "string", "\"UTC\""), by_hex(41, "55:54:43"));
    assert_eq!(by_type(1000, "u8", "7"), by_hex(1000, "07"));
    assert_eq!(by_type(1000, "u16", "7"), by_hex(1000, "0007"));
    assert_eq!(by_type(1000, "u32", "4294967295"), by_hex(1000, "ffffffff"));
    assert_eq!(by_type(64, "domain", "\"a.b\""), by_hex(64, "0161016200"));
    assert_eq!(
        by_type(64, "domain", "[\"a\", \"b\"]"),
        by_hex(64, "01610001 6200".replace(' ', "").as_str())
    );
    let servers = "fd000000000000000000000000000001fd000000000000000000000000000002";
    assert_eq!(by_type(22, "ipv6", "[\"fd00::1\", \"fd00::2\"]"), by_hex(22, servers));
}

#[test]
fn faults_tell_what_to_write() {
    for (lines, faults) in [
        (
            "[[link.option]]\ncode = 23\ntype = \"u8\"\nvalue = 1",
            "link[0].option[0].code: option 23 has a key of its own; use \"dns_servers\"",
        ),
        (
            "[[link.option]]\ncode = 3\ntype = \"u8\"\nvalue = 1",
            "link[0].option[0].code: option 3 is the protocol's own, or a client's or relay's to send; remove it",
        ),
        (
            "[[link.option]]\ncode = 41\ntype = \"text\"\nvalue = \"a\"",
            "link[0].option[0].type: \"text\" is not known here; write \"string\", \"ipv6\", \"domain\", \"u8\", \"u16\", \
             \"u32\" or \"hex\"",
        ),
        (
            "[[link.option]]\ncode = 41\ntype = \"u8\"\nvalue = 256",
            "link[0].option[0].value: 256 is out of bounds; take 0 to 255",
        ),
        (
            "[[link.option]]\ncode = 41\ntype = \"u8\"",
            "link[0].option[0].value: is missing; give what the option says",
        ),
        (
            "option = [{ code = 41, type = \"u8\", value = 1 }, { code = 41, type = \"u8\", value = 2 }]",
            "link[0].option[1].code: option 41 was given before; give it once",
        ),
        (
            "[[link.vendor_option]]\ncode = 1\ntype = \"u8\"\nvalue = 1",
            "link[0].vendor_option[0].enterprise: is missing; give the vendor's number at IANA, like 311",
        ),
        (
            "captive_portal = \"http://a\"",
            "link[0].captive_portal: \"http://a\" is not asked for by HTTPS, and clients take nothing else; \
             write it like \"https://portal.example.org/api\"",
        ),
        (
            "solicit_max_rt = \"59s\"",
            "link[0].solicit_max_rt: 59s is too short; take at least 1m",
        ),
        (
            "information_refresh_time = \"9m\"",
            "link[0].information_refresh_time: 9m is too short; take at least 10m",
        ),
        (
            "preference = 256",
            "link[0].preference: 256 is out of bounds; take 0 to 255",
        ),
        (
            "source = \"dnsmasq\"\nntp_servers = []",
            "link[0].ntp_servers: has no effect, because dnsmasq answers the clients of this link; \
             remove it here and set it in dnsmasq's configuration",
        ),
    ] {
        assert_eq!(faults_of(lines), faults);
    }
}

#[test]
fn all_options_fit_into_an_answer() {
    let text = "x".repeat(1000);
    let options: String = (1..=10)
        .map(|code| {
            format!(
                "[[link.option]]\ncode = {}\ntype = \"string\"\nvalue = \"{text}\"\n",
                1000 + code
            )
        })
        .collect();
    assert_eq!(
        faults_of(&format!("dns = false\n{options}")),
        "link[0].option: and the other options have 10040 bytes together; give at most 8192"
    );
}
