use orchestrator_dhcp6::Holder;
use orchestrator_model::Leased;

use crate::{Faults, Settings, parse};

const LINK: &str = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n\
                    instances = \"fd39::2:0/112\"\n";
const OTHER: &str = "[[link]]\nbridge = \"br1\"\naddress = \"fd40::1/64\"\npool = \"fd40::1:0/112\"\n\
                     [[link.delegation]]\npool = \"fd50::/48\"\n";

fn settings(text: &str) -> Result<Settings, Faults> {
    parse(text, std::iter::empty())
}

fn reservation(lines: &str) -> String {
    format!("[[link.reservation]]\n{lines}\n")
}

#[test]
fn a_client_is_known_by_one_of_four_traits() {
    for (lines, holder) in [
        ("duid = \"00:03:00:01:02\"", "DUID 00:03:00:01:02"),
        (
            "link_layer_address = \"02:00:5e:10:00:01\"",
            "link-layer address 02:00:5e:10:00:01",
        ),
        (
            "remote_enterprise = 9\nremote_id = \"port-7\"",
            "remote-id port-7 of enterprise 9",
        ),
        ("interface_id = \"0x0007\"", "interface-id 0x0007"),
    ] {
        let text = format!(
            "{LINK}{}",
            reservation(&format!("{lines}\naddress = \"fd39::7\"\nprefix = \"fd60::/56\""))
        );
        let settings = settings(&text).unwrap();
        let kept = &settings.links[0].reservations[0];
        assert_eq!(kept.holder.to_string(), holder);
        assert_eq!(
            (kept.address.unwrap().to_string(), kept.prefix.unwrap().to_string()),
            ("fd39::7".into(), "fd60::/56".into())
        );
    }
}

#[test]
fn a_reservation_may_have_ssh_keys_and_nothing_else() {
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFxNNfzrqW3sTmNJrC5hQWLVo3hL8mGzRZ3lXJmvVqKd";
    let by = |holder: &str, more: &str| reservation(&format!("{holder}\nauthorized_keys = [\"{KEY}  me\"]\n{more}"));
    let text = format!(
        "{LINK}{}{}",
        by("duid = \"00:03:00:01:02\"", ""),
        by("interface_id = \"0x0007\"", "address = \"fd39::7\"")
    );
    let settings = settings(&text).unwrap();
    let link = &settings.links[0];
    assert_eq!(link.reservations.len(), 1, "one of them reserves an address");
    let [of_duid, of_port] = link.reserved_keys.as_slice() else {
        panic!("{:?}", link.reserved_keys)
    };
    assert_eq!(of_duid.keys, [format!("{KEY} me")]);
    let duid = |text: &str| [Holder::Duid(text.parse().unwrap())];
    assert!(of_duid.are_of(&duid("00:03:00:01:02"), &[]) && !of_duid.are_of(&duid("00:03:00:01:03"), &[]));
    // What a relay says is not recorded: it is whoever holds the address, which nobody else is given.
    let held = |text: &str| [Leased::Address(text.parse().unwrap())];
    assert!(
        of_port.are_of(&duid("00:01:02"), &held("fd39::7")) && !of_port.are_of(&duid("00:01:02"), &held("fd39::8"))
    );
    let wrong = by("duid = \"00:03:00:01:02\"", "").replace("AAAAC3", "AAAAC4");
    let fault = self::settings(&format!("{LINK}{wrong}")).unwrap_err().to_string();
    assert!(
        fault.contains("link[0].reservation[0].authorized_keys") && fault.contains("is not an SSH public key"),
        "{fault}"
    );
}

#[test]
fn faults_tell_what_to_write() {
    let duid = |more: &str| reservation(&format!("duid = \"00:03:00:01:02\"\n{more}"));
    let by = |n: u8, more: &str| reservation(&format!("duid = \"00:03:00:01:0{n}\"\n{more}"));
    for (lines, faults) in [
        (
            reservation("address = \"fd39::7\""),
            "link[0].reservation[0]: tells no client; give one of duid, link_layer_address, remote_id and interface_id",
        ),
        (
            duid("interface_id = \"a\"\naddress = \"fd39::7\""),
            "link[0].reservation[0]: tells a client by duid and interface_id; \
             give one of duid, link_layer_address, remote_id and interface_id",
        ),
        (
            reservation("remote_id = \"a\"\naddress = \"fd39::7\""),
            "link[0].reservation[0].remote_enterprise: is missing; give the enterprise number in the remote-id, like 9",
        ),
        (
            reservation("link_layer_address = \"02:00:5e\"\naddress = \"fd39::7\""),
            "link[0].reservation[0]: 02:00:5e is no link-layer address of an interface: give all bytes, 6 on Ethernet like \
             02:00:5e:10:00:01, else 8 or 20; reserve what the link can give",
        ),
        (
            duid(""),
            "link[0].reservation[0]: nothing is reserved: give an address, a prefix, both, or SSH keys; reserve what the link can give",
        ),
        (
            duid("address = \"fd40::7\""),
            "link[0].reservation[0]: fd40::7 is not inside the link's prefix fd39::/64; reserve what the link can give",
        ),
        (
            duid("address = \"fd39::1\""),
            "link[0].reservation[0]: fd39::1 is the link's own address; reserve what the link can give",
        ),
        (
            duid("address = \"fd39::2:7\""),
            "link[0].reservation[0]: fd39::2:7 is in fd39::2:0/112, which is for instances; reserve what the link can give",
        ),
        (
            duid("address = \"fd39::fdff:ffff:ffff:ff80\""),
            "link[0].reservation[0]: fd39::fdff:ffff:ffff:ff80 has an interface identifier that no host may have (RFC 5453); \
             reserve what the link can give",
        ),
        (
            duid("prefix = \"fd60::/65\""),
            "link[0].reservation[0].prefix: fd60::/65 is no prefix to delegate from; write it like \"fd39:9706:2787:700::/56\"",
        ),
        (
            duid("prefix = \"fd40::/56\""),
            "link[0].reservation[0]: fd40::/56 overlaps fd40::/64, the prefix of link br1; reserve what the link can give",
        ),
        (
            duid("prefix = \"fd50:0:0:7::/64\""),
            "link[0].reservation[0]: fd50:0:0:7::/64 overlaps fd50::/48, which link br1 delegates; \
             reserve what the link can give",
        ),
        (
            duid("address = \"fd39::7\"") + &duid("address = \"fd39::8\""),
            "link[0].reservation[1]: there is a reservation for DUID 00:03:00:01:02 already; \
             reserve each once, and once for each client",
        ),
        (
            by(1, "address = \"fd39::7\"") + &by(2, "address = \"fd39::7\""),
            "link[0].reservation[1]: fd39::7 is reserved for DUID 00:03:00:01:01; \
             reserve each once, and once for each client",
        ),
        (
            by(1, "prefix = \"fd60::/56\"") + &by(2, "prefix = \"fd60:0:0:7::/64\""),
            "link[0].reservation[1]: fd60::/56 is reserved for DUID 00:03:00:01:01; \
             reserve each once, and once for each client",
        ),
    ] {
        assert_eq!(
            settings(&format!("{LINK}{lines}{OTHER}")).unwrap_err().to_string(),
            faults
        );
    }
}

#[test]
fn a_prefix_may_be_of_the_links_own_pools_or_of_none() {
    let pool = "[[link.delegation]]\npool = \"fd60::/48\"\n";
    for prefix in ["fd60:0:0:700::/56", "fd70::/64"] {
        let kept = reservation(&format!("duid = \"00:03:00:01:02\"\nprefix = \"{prefix}\""));
        assert!(settings(&format!("{LINK}{pool}{kept}{OTHER}")).is_ok(), "{prefix}");
    }
}
