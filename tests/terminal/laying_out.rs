//! `init` asks for what the line does not say, and proposes an answer.

use std::fs;

use crate::at::AtTerminal;
use crate::copying::Directory;

#[test]
fn init_asks_for_a_name_and_a_port_at_a_terminal() {
    let place = Directory::new();
    let within = place.path().display().to_string();
    let words = ["init", "web", "--within", &within];
    let mut at = AtTerminal::start(&place.path().join("none.sock"), &words, place.path(), false);
    at.wait_for("name of the service [web]: ");
    at.types("shop\r");
    at.wait_for("port that it listens on [8080]: ");
    at.types("9090\r");
    assert_eq!(at.ends(), 0, "{}", at.seen());
    let service = fs::read_to_string(place.path().join("shop/service.toml")).unwrap();
    assert!(
        service.contains("name = \"shop\"") && service.contains("http = 9090"),
        "{service}"
    );

    // An empty answer is the proposal.
    let mut at = AtTerminal::start(&place.path().join("none.sock"), &words, place.path(), false);
    at.wait_for("name of the service [web]: ");
    at.types("\r");
    at.wait_for("port that it listens on [8080]: ");
    at.types("\r");
    assert_eq!(at.ends(), 0, "{}", at.seen());
    let service = fs::read_to_string(place.path().join("web/service.toml")).unwrap();
    assert!(service.contains("http = 8080"), "{service}");

    // What is no port or no name makes nothing.
    let mut at = AtTerminal::start(&place.path().join("none.sock"), &words, place.path(), false);
    at.wait_for("name of the service [web]: ");
    at.types("mail\r");
    at.wait_for("port that it listens on [8080]: ");
    at.types("http\r");
    assert_eq!(at.ends(), 1);
    at.wait_for("it is no port");
    let mut at = AtTerminal::start(&place.path().join("none.sock"), &words, place.path(), false);
    at.wait_for("name of the service [web]: ");
    at.types("../mail\r");
    assert_eq!(at.ends(), 1);
    at.wait_for("is no name of a service");
    assert!(!place.path().join("mail").exists() && !place.path().join("../mail").exists());
}
