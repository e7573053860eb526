use crate::{Faults, Settings, parse};

const LINK: &str = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n";
const OTHER: &str = "[[link]]\nbridge = \"br1\"\naddress = \"fd40::1/64\"\npool = \"fd40::1:0/112\"\n";

fn settings(text: &str) -> Result<Settings, Faults> {
    parse(text, std::iter::empty())
}

fn relay(lines: &str) -> String {
    format!("[[link.relay]]\n{lines}\n")
}

#[track_caller]
fn assert_fault(text: &str, fault: &str) {
    let faults = settings(text).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(told, [fault]);
}

#[test]
fn a_relay_agent_is_known_by_its_address_and_its_interface_id() {
    let text = [
        LINK,
        &relay("address = \"fe80::5\""),
        &relay("interface_id = \"0x0007\""),
        &relay("address = \"2001:db8::5\"\ninterface_id = \"vlan 7\""),
        OTHER,
        &relay("address = \"2001:db8::5\"\ninterface_id = \"vlan 8\""),
    ];
    let settings = settings(&text.concat()).unwrap();
    let shown = |link: usize| -> Vec<(Option<String>, Option<String>)> {
        let keys = settings.links[link].relays.iter();
        keys.map(|key| {
            let address = key.address.map(|address| address.to_string());
            (address, key.interface_id.as_ref().map(ToString::to_string))
        })
        .collect()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        shown(0),
        [
            (text("fe80::5"), None),
            (None, text("0x0007")),
            (text("2001:db8::5"), text("vlan 7")),
        ]
    );
    assert_eq!(shown(1), [(text("2001:db8::5"), text("vlan 8"))]);
}

#[test]
fn faults_tell_what_to_write() {
    assert_fault(
        &format!("{LINK}{}", relay("")),
        "link[0].relay[0]: tells no relay agent; give its address, its interface_id, or both",
    );
    assert_fault(
        &format!("{LINK}{}", relay("address = \"::\"")),
        "link[0].relay[0].address: :: is no relay agent's; write it like \"fe80::5\"",
    );
    assert_fault(
        &format!(
            "{LINK}{}{OTHER}{}",
            relay("interface_id = \"7\""),
            relay("interface_id = \"7\"")
        ),
        "link[1].relay[0]: is the relay agent of link[0].relay[0] already; have each relay agent on one link; an \
         interface_id tells several links of one apart",
    );
    let hooked = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\nsource = \"dnsmasq\"\n";
    assert_fault(
        &format!("{hooked}{}", relay("address = \"fe80::5\"")),
        "link[0].relay: has no effect, because dnsmasq answers the clients of this link; remove it here and set it in \
         dnsmasq's configuration",
    );
}
