//! Names over TLS.

use std::fs;

use orchestrator_balancer::{Challenge, Pem};
use orchestrator_model::EndpointState::Serving;
use orchestrator_model::RouteTls;

use crate::stage::{Stage, within};
use crate::traffic::{Instance, get};

/// A certificate for a name that its own key signs, with its serial number.
fn certificate(stage: &Stage, host: &str, serial: u32) -> Pem {
    let place = stage.namespace.lab().place("certificate").unwrap();
    let (chain, key) = (place.join("chain.pem"), place.join("key.pem"));
    let arguments = format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {} -out {} -subj /CN={host} -set_serial {serial} -days 2",
        key.display(),
        chain.display()
    );
    let mut command = stage.namespace.command("openssl");
    let output = command.args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Pem::new(&fs::read_to_string(chain).unwrap(), &fs::read_to_string(key).unwrap()).unwrap()
}

/// What a client sees: the serial number of the certificate and the answer; why not, if it sees nothing.
async fn seen(stage: &Stage, host: &str) -> Result<String, String> {
    let mut command = stage.namespace.command("curl");
    command.args([
        "--silent",
        "--insecure",
        "--max-time",
        "10",
        "--connect-to",
        "::[fd39::80]:8443",
        "--write-out",
        " %{certs}",
        &format!("https://{host}/"),
    ]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => {
            let serial = text.lines().find_map(|line| line.strip_prefix("Serial Number:"));
            let body = text.split_whitespace().next().unwrap_or_default();
            Ok(format!("{body} {}", serial.unwrap_or_default().trim()))
        }
        false => Err(output.status.to_string()),
    }
}

#[test]
fn a_name_over_tls_shows_its_own_certificate_and_a_new_one_without_a_reload() {
    within(async |mut stage| {
        let _instances = [Instance::start(1).await, Instance::start(2).await];
        stage.member("shop", 1, Serving);
        stage.member("other", 2, Serving);
        for service in ["shop", "other"] {
            stage.service(service).routes[0].tls = Some(RouteTls::OwnCa);
        }
        for (host, serial) in [("shop.example", 17), ("other.example", 18)] {
            let pem = certificate(&stage, host, serial);
            stage.material.certificates.insert(host.parse().unwrap(), pem);
        }
        let turn = stage.turn().await;
        stage.expect(&turn);
        assert_eq!(seen(&stage, "shop.example").await.unwrap(), "1 11");
        assert_eq!(seen(&stage, "other.example").await.unwrap(), "2 12");
        seen(&stage, "nobody.example").await.unwrap_err();
        assert_eq!(get("shop.example", "/x?y").await.0, 308);
        let pem = certificate(&stage, "shop.example", 33);
        stage.material.certificates.insert("shop.example".parse().unwrap(), pem);
        let turn = stage.turn().await;
        stage.expect(&turn);
        assert_eq!(seen(&stage, "shop.example").await.unwrap(), "1 21");
        assert_eq!(seen(&stage, "other.example").await.unwrap(), "2 12");
        stage.material.certificates.remove(&"other.example".parse().unwrap());
        let turn = stage.turn().await;
        stage.expect(&turn);
        seen(&stage, "other.example").await.unwrap_err();
        assert_eq!((stage.reloads("first"), stage.reloads("frame")), (1, 0));
        stage.kill_haproxy();
        stage.start_haproxy();
        assert_eq!(seen(&stage, "shop.example").await.unwrap(), "1 21");
    });
}

#[test]
fn a_challenge_of_acme_is_answered_for_every_name() {
    within(async |mut stage| {
        stage
            .material
            .challenges
            .insert(Challenge::new("token-1", "token-1.print_2").unwrap());
        let turn = stage.turn().await;
        stage.expect(&turn);
        let answer = get("new.example", "/.well-known/acme-challenge/token-1").await;
        assert_eq!(answer, (200, "token-1.print_2".to_owned()));
        assert_eq!(get("new.example", "/.well-known/acme-challenge/token-2").await.0, 404);
        stage.material.challenges.clear();
        let turn = stage.turn().await;
        stage.expect(&turn);
        assert_eq!(get("new.example", "/.well-known/acme-challenge/token-1").await.0, 404);
    });
}
