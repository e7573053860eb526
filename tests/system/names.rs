//! What people call clients and instances by, and what lists show them of those.

use serde_json::Value;

use crate::dnsmasq::{hook, plan, tell_with};
use crate::site::{PREFIX, Plan, Site, text};

/// Runs the command line: its exit code, and what it printed on either output.
fn run(site: &Site, arguments: &[&str]) -> (i32, String, String) {
    let output = site.daemon.cli(arguments).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A client of dnsmasq that no program stands behind.
fn lease(site: &Site, number: u32, name: &str) {
    let words = ["add", &duid(number), &leased(number), name];
    let variables = [("INTERFACE", "br0"), ("LEASE_EXPIRES", "0"), ("MAC", &mac(number))];
    assert_eq!(tell_with(&hook(site), &words, &variables), "");
}

fn mac(number: u32) -> String {
    format!("02:00:5e:10:{:02x}:{:02x}", number >> 8, number & 0xff)
}

fn duid(number: u32) -> String {
    format!("00:03:00:01:{}", mac(number))
}

fn leased(number: u32) -> String {
    format!("{PREFIX}::1:{number:x}")
}

#[test]
fn clients_and_instances_go_by_every_name_that_people_know_of_them() {
    let site = Site::start(&plan());
    lease(&site, 1, "laptop");
    lease(&site, 2, "laptop-2.example.org");
    lease(&site, 3, "desk");
    let instances = site.wait_ready(3);
    let of = |number: u32| {
        instances
            .iter()
            .find(|instance| instance["duid"] == duid(number))
            .unwrap()
    };
    let (first, second) = (of(1), of(2));

    let client = text(first, "client");
    for name in [
        &client,
        "laptop",
        "LAPTOP",
        &duid(1),
        &duid(1).to_uppercase(),
        &mac(1),
        &leased(1),
    ] {
        let (code, shown, said) = run(&site, &["show", name]);
        assert_eq!(code, 0, "{name}: {said}");
        assert!(shown.starts_with(&format!("client      {client}\n")), "{name}: {shown}");
        assert!(shown.contains(&text(first, "id")), "{name}: {shown}");
        let (code, shown, said) = run(&site, &["events", "--client", name]);
        assert!(code == 0 && shown.contains("lease-granted"), "{name}: {shown}{said}");
    }
    // The first label is a name too, and so is its beginning.
    for name in ["laptop-2", "laptop-2.ex", "laptop-2.example.org", &duid(2)[..]] {
        let (code, shown, said) = run(&site, &["show", name]);
        assert!(
            code == 0 && shown.contains(&text(second, "client")),
            "{name}: {shown}{said}"
        );
    }
    let address = text(second, "address");
    for name in [&address, &text(second, "id")] {
        let (code, shown, said) = run(&site, &["show", name]);
        assert_eq!(code, 0, "{name}: {said}");
        assert!(
            shown.starts_with(&format!("instance   {}\n", text(second, "id"))),
            "{shown}"
        );
    }
    let (code, shown, _) = run(&site, &["events", "--instance", "laptop-2"]);
    assert!(code == 0 && shown.contains("instance-ready"), "{shown}");
    let (code, _, said) = run(&site, &["reconfigure", "laptop"]);
    assert!(code == 1 && said.contains("not"), "a link of dnsmasq: {said}");

    let (code, _, said) = run(&site, &["rm", "lap"]);
    assert_eq!(code, 1, "{said}");
    for candidate in [first, second] {
        assert!(said.contains(&text(candidate, "id")), "{said}");
    }
    assert!(said.contains("laptop-2.example.org"), "{said}");
    assert_eq!(site.instances().len(), 3, "nothing is done to either");
    let (code, _, said) = run(&site, &["rm", "nobody"]);
    assert_eq!(code, 3, "{said}");

    assert_eq!(run(&site, &["rm", "laptop", &duid(3)]).0, 0);
    let left = site.wait_ready(1);
    assert_eq!(left[0]["id"], second["id"]);
    // The client is there, and has no instance any more.
    let (code, _, said) = run(&site, &["rm", "laptop"]);
    assert!(code == 3 && said.contains(&client), "{said}");
    assert_eq!(run(&site, &["rm", &address]).0, 0);
    site.wait_none();
}

#[test]
fn two_clients_of_one_name_are_told_apart_before_anything_is_done() {
    let site = Site::start(&Plan {
        template: None,
        ..plan()
    });
    lease(&site, 1, "printer");
    lease(&site, 2, "printer");
    let (code, _, said) = run(&site, &["show", "printer"]);
    assert_eq!(code, 1);
    let clients = site.daemon.items("/v1/clients?name=printer").unwrap();
    assert_eq!(clients.len(), 2);
    for client in &clients {
        assert!(said.contains(&text(client, "id")), "{said}");
    }
    // Whole names go before beginnings, and ids before names that a client gives itself.
    lease(&site, 3, "print");
    let named = site.daemon.items("/v1/clients?name=print").unwrap();
    assert_eq!(named.len(), 1, "{named:?}");
    let id = text(&clients[0], "id");
    lease(&site, 4, &id);
    let named = site.daemon.items(&format!("/v1/clients?name={id}")).unwrap();
    assert_eq!((named.len(), text(&named[0], "id")), (1, id.clone()));
    let (code, shown, _) = run(&site, &["show", &id]);
    assert!(code == 0 && shown.contains("printer"), "{shown}");
}

#[test]
fn leases_are_listed_by_the_value_of_their_address_with_their_iaid() {
    let site = Site::start(&Plan {
        template: None,
        ..plan()
    });
    for number in [0x100, 0x9, 0xff, 0x10] {
        lease(&site, number, "");
    }
    let (code, table, _) = run(&site, &["ls", "leases"]);
    assert_eq!(code, 0);
    let addresses: Vec<&str> = table
        .lines()
        .skip(1)
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(addresses, [0x9, 0x10, 0xff, 0x100].map(leased));
    let header: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    let iaid = header.iter().position(|name| *name == "IAID").expect("no IAID");
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[iaid], "7");
    let (_, json, _) = run(&site, &["ls", "leases", "-o", "json"]);
    let items: Vec<Value> = serde_json::from_str(&json).unwrap();
    let addresses: Vec<&str> = items.iter().map(|item| item["address"].as_str().unwrap()).collect();
    assert_eq!(addresses, [0x9, 0x10, 0xff, 0x100].map(leased));
}

#[test]
fn what_a_client_says_at_length_makes_no_table_wide() {
    let site = Site::start(&Plan {
        template: None,
        ..plan()
    });
    let duid = vec!["a5"; 130].join(":");
    let name = format!("{}.example", ["host"; 40].join("-"));
    let address = leased(7);
    let variables = [("INTERFACE", "br0"), ("LEASE_EXPIRES", "0")];
    assert_eq!(
        tell_with(&hook(&site), &["add", &duid, &address, &name], &variables),
        ""
    );
    for noun in ["clients", "leases"] {
        let (_, table, _) = run(&site, &["ls", noun]);
        let widest = table.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 200, "{widest} columns: {table}");
        assert!(table.contains('…') && !table.contains(&duid), "{table}");
        let (_, wide, _) = run(&site, &["ls", noun, "-o", "wide"]);
        assert!(wide.contains(&duid), "{wide}");
        let (_, json, _) = run(&site, &["ls", noun, "-o", "json"]);
        assert!(json.contains(&duid), "{json}");
    }
    let (_, wide, _) = run(&site, &["ls", "clients", "-o", "wide"]);
    assert!(wide.contains(&name), "{wide}");
    let (_, shown, _) = run(&site, &["show", &duid]);
    assert!(
        shown.contains(&format!("duid        {duid}")) && shown.contains(&name),
        "{shown}"
    );
}
