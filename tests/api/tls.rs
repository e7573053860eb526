//! The API on TLS 1.3, as other machines meet it.

use std::process::Stdio;
use std::time::Duration;

use orchestrator::api::{Limits, Role};
use orchestrator::model::Timestamp;
use orchestrator::secrets::{CertificateRequest, Purpose};
use orchestrator::settings::Listen;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::daemon::{Daemon, Directory};
use crate::document::operations;
use crate::http::{Answer, PATIENCE, ask};

/// `[::1]:port`
pub(crate) fn address(daemon: &Daemon) -> String {
    let Listen::Tls(address) = &daemon.tls else {
        panic!("no TLS")
    };
    address.to_string()
}

fn request() -> CertificateRequest {
    CertificateRequest {
        subject: "orchestrator API".to_owned(),
        names: vec!["localhost".to_owned()],
        addresses: vec!["::1".parse().unwrap()],
        purposes: vec![Purpose::Server],
        validity: Duration::from_secs(90 * 86_400),
    }
}

/// Has the daemon show a certificate of its own authority, and writes that to `ca.pem` in a directory.
pub(crate) async fn show_own_certificate(daemon: &Daemon) -> Directory {
    show_at(daemon, Timestamp::wall()).await;
    let place = Directory::new();
    write_authorities(daemon, &place).await;
    place
}

async fn show_at(daemon: &Daemon, at: Timestamp) -> String {
    let kept = daemon
        .room
        .keep_certificate("api", &request(), at)
        .await
        .expect("a certificate");
    let shown = daemon.identity.show(kept.certificate.as_bytes(), kept.key.expose());
    shown.expect("it can be used");
    kept.serial
}

async fn write_authorities(daemon: &Daemon, place: &Directory) {
    let trusted = daemon.room.trusted(Timestamp::wall()).await.expect("authorities");
    let text: String = trusted.into_iter().map(|authority| authority.certificate).collect();
    std::fs::write(place.path().join("ca.pem"), text).expect("a file");
}

/// What curl says, and what it is answered.
async fn curl(place: &Directory, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--include",
            "--globoff",
            "--cacert",
            "ca.pem",
        ])
        .args(arguments)
        .current_dir(place.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output)
        .await
        .expect("curl ends")
        .expect("curl runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn every_route_needs_a_token() {
    let daemon = Daemon::start().await;
    let place = show_own_certificate(&daemon).await;
    let base = format!("https://{}", address(&daemon));
    for (method, path, _) in operations() {
        let url = format!("{base}{}", path.replace(['{', '}'], ""));
        let (code, text) = curl(&place, &["--request", &method, &url]).await;
        assert_eq!(code, Some(0), "{text}");
        assert_eq!(
            Answer::parse(&text).problem(),
            (401, "token-missing".to_owned()),
            "{method} {path}"
        );
    }
    assert!(daemon.asked().is_empty());
}

#[tokio::test]
async fn a_token_does_what_the_unix_socket_does() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    let place = show_own_certificate(&daemon).await;
    let token = format!("Authorization: Bearer {}", daemon.token("far", Role::Admin, &[]).await);
    let base = format!("https://{}", address(&daemon));
    for (method, path, expected) in [
        ("GET", "/v1/instances", 200),
        ("POST", "/v1/settings/reload", 200),
        ("DELETE", "/v1/instances/010101010101", 202),
        ("POST", "/v1/hooks/dnsmasq", 400),
    ] {
        let (_, text) = curl(
            &place,
            &["--request", method, "--header", &token, &format!("{base}{path}")],
        )
        .await;
        assert_eq!(Answer::parse(&text).status, expected, "{method} {path}: {text}");
    }
    assert!(
        daemon.asked().iter().any(|asked| asked == "destroy by token far"),
        "{:?}",
        daemon.asked()
    );
}

#[tokio::test]
async fn the_command_line_reaches_it_with_its_token_and_authority() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    let place = show_own_certificate(&daemon).await;
    let token = daemon.token("far", Role::Viewer, &[]).await;
    let run = async |ca: Option<&str>, token: &str, words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        command
            .args(["--server", &format!("https://{}", address(&daemon))])
            .args(words);
        command.env("ORCHESTRATOR_TOKEN", token).env_remove("ORCHESTRATOR_CA");
        command.current_dir(place.path());
        if let Some(ca) = ca {
            command.args(["--ca", ca]);
        }
        let output = command.output().await.expect("the program runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    let (code, text) = run(Some("ca.pem"), &token, &["ls"]).await;
    assert!(code == Some(0) && text.contains("010101010101"), "{text}");
    let (code, text) = run(Some("ca.pem"), &token, &["rm", "010101010101"]).await;
    assert!(code == Some(1) && text.contains("not-allowed"), "{text}");
    let (code, text) = run(Some("ca.pem"), "", &["ls"]).await;
    assert!(code == Some(1) && text.contains("token-missing"), "{text}");
    let (code, text) = run(None, &token, &["ls"]).await;
    assert!(code == Some(4) && text.contains("--ca FILE"), "{text}");
    let (code, text) = run(Some("nowhere.pem"), &token, &["ls"]).await;
    assert!(code == Some(4) && text.contains("nowhere.pem"), "{text}");
}

#[tokio::test]
async fn older_protocols_and_plain_http_are_refused() {
    let daemon = Daemon::start().await;
    let place = show_own_certificate(&daemon).await;
    let url = format!("https://{}/v1/health", address(&daemon));
    let (code, text) = curl(&place, &["--tls-max", "1.2", &url]).await;
    assert_eq!(code, Some(35), "{text}");
    let (code, _) = curl(&place, &[&url.replace("https", "http")]).await;
    assert_ne!(code, Some(0));
}

#[tokio::test]
async fn nobody_connects_before_there_is_a_certificate() {
    let daemon = Daemon::start().await;
    let place = Directory::new();
    write_authorities(&daemon, &place).await;
    let url = format!("https://{}/v1/health", address(&daemon));
    let (code, text) = curl(&place, &[&url]).await;
    assert_eq!(code, Some(35), "{text}");
    show_own_certificate(&daemon).await;
    let (code, text) = curl(&place, &[&url]).await;
    assert_eq!(code, Some(0), "{text}");
}

#[tokio::test]
async fn a_certificate_is_replaced_while_peers_are_connected() {
    let daemon = Daemon::start().await;
    let place = show_own_certificate(&daemon).await;
    let url = format!("https://{}/v1/health", address(&daemon));
    let (now, old) = (Timestamp::wall(), show_at(&daemon, Timestamp::wall()).await);

    // The authority is rotated. Who trusts only the old one still connects: its certificate is shown on.
    daemon.room.rotate_authority(false, now).await.expect("rotated");
    assert_eq!(show_at(&daemon, now).await, old);
    assert_eq!(curl(&place, &[&url]).await.0, Some(0));
    let both = Directory::new();
    write_authorities(&daemon, &both).await;
    assert_eq!(curl(&both, &[&url]).await.0, Some(0));

    // Two thirds of its life later there is one of the new authority, which those know who have asked meanwhile.
    let later = now.plus(Duration::from_secs(61 * 86_400));
    assert_ne!(show_at(&daemon, later).await, old);
    // Where earlier authorities are refused at once, another certificate is shown at once.
    let before = show_at(&daemon, now).await;
    daemon.room.rotate_authority(true, now).await.expect("rotated");
    assert_ne!(show_at(&daemon, now).await, before);
    assert_eq!(
        curl(&place, &[&url]).await.0,
        Some(60),
        "the old authority alone is not enough any more"
    );
    write_authorities(&daemon, &both).await;
    assert_eq!(curl(&both, &[&url]).await.0, Some(0));

    // What cannot be used changes nothing.
    assert!(daemon.identity.show(b"", b"").is_err());
    let other = daemon.room.issue(&request(), now).await.expect("another");
    let kept = daemon
        .room
        .keep_certificate("api", &request(), now)
        .await
        .expect("the present one");
    let mixed = daemon.identity.show(kept.certificate.as_bytes(), other.key.expose());
    assert!(mixed.is_err(), "a certificate with the key of another");
    assert_eq!(curl(&both, &[&url]).await.0, Some(0));
}

#[tokio::test]
async fn a_peer_that_does_not_shake_hands_is_closed_and_blocks_nobody() {
    let limits = Limits {
        connections: 4,
        head: Duration::from_millis(300),
        ..Limits::default()
    };
    let daemon = Daemon::with_limits(limits).await;
    let place = show_own_certificate(&daemon).await;
    // Three quarters of the places are one peer's: the oldest of its silent connections makes room.
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(address(&daemon)).await.expect("it is accepted"));
    }
    let url = format!("https://{}/v1/health", address(&daemon));
    let (code, text) = curl(&place, &[&url]).await;
    assert_eq!(code, Some(0), "{text}");
    for mut stream in silent {
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "it is closed");
    }
    // The others are not bothered by what is no TLS at all.
    let mut garbage = TcpStream::connect(address(&daemon)).await.unwrap();
    garbage.write_all(&[0x16; 4096]).await.ok();
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, garbage.read_to_end(&mut rest))
        .await
        .expect("it is closed");
    let counted = ask(&daemon.unix, "GET", "/metrics").await.body;
    assert!(counted.contains("reason=\"handshake\""), "{counted}");
}

#[tokio::test]
async fn huge_heads_are_refused_as_on_the_other_sockets() {
    let daemon = Daemon::start().await;
    let place = show_own_certificate(&daemon).await;
    let url = format!("https://{}/v1/health", address(&daemon));
    let header = format!("X-Filler: {}", "x".repeat(20_000));
    let (_, text) = curl(&place, &["--header", &header, &url]).await;
    assert_eq!(Answer::parse(&text).problem(), (431, "head-too-large".to_owned()));
}
