//! Certificates in real use: a TLS handshake, and another implementation that reads them. Both go by the machine's
//! clock.

use std::fs;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_model::{Id, Timestamp};
use orchestrator_secrets::{CertificateRequest, Issued, KeyFile, Purpose, Room};
use orchestrator_store::{Authority, Store};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

/// A directory that is removed when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("orchestrator-certificates-{}", Id::random().unwrap()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    /// A room with its own database.
    async fn room(&self) -> Room {
        let store = Store::open(&format!("sqlite://{}/state.db", self.0.display()))
            .await
            .unwrap();
        let file = KeyFile::at(&self.0.join("key"));
        Room::open(store.sealed(), file, Timestamp::wall()).await.unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn server() -> CertificateRequest {
    CertificateRequest {
        subject: "api of site one".to_owned(),
        names: vec!["one.example".to_owned()],
        addresses: vec!["fd00::1".parse::<IpAddr>().unwrap()],
        purposes: vec![Purpose::Server],
        validity: Duration::from_secs(3600),
    }
}

fn client() -> CertificateRequest {
    CertificateRequest {
        subject: "host-1".to_owned(),
        names: vec!["host-1".to_owned()],
        addresses: Vec::new(),
        purposes: vec![Purpose::Client],
        validity: Duration::from_secs(3600),
    }
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn roots(trusted: &[Authority]) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for authority in trusted {
        roots.add(der(&authority.certificate)).unwrap();
    }
    Arc::new(roots)
}

/// The certificate and the key in the types of the TLS library.
fn identity(issued: &Issued) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let key = PrivateKeyDer::from_pem_slice(issued.key.expose()).unwrap();
    (vec![der(&issued.certificate)], key)
}

#[tokio::test]
async fn server_and_client_prove_themselves_to_one_another_in_tls() {
    let scratch = Scratch::new();
    let room = scratch.room().await;
    // The handshake reads the machine's clock.
    let now = Timestamp::wall();
    let [server, client] = [
        room.issue(&server(), now).await.unwrap(),
        room.issue(&client(), now).await.unwrap(),
    ];
    let roots = roots(&room.trusted(now).await.unwrap());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
        .build()
        .unwrap();
    let (chain, key) = identity(&server);
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    let (chain, key) = identity(&client);
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), ServerName::try_from("one.example").unwrap()).unwrap();
    client.writer().write_all(b"hello").unwrap();
    while client.wants_write() || server.wants_write() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        read_all(&wire, |part| server.read_tls(part));
        server.process_new_packets().unwrap();
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        read_all(&wire, |part| client.read_tls(part));
        client.process_new_packets().unwrap();
    }
    let mut heard = [0; 5];
    server.reader().read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");
    assert!(server.peer_certificates().is_some_and(|chain| chain.len() == 1));
}

fn read_all(mut wire: &[u8], mut read: impl FnMut(&mut dyn Read) -> std::io::Result<usize>) {
    while !wire.is_empty() {
        read(&mut wire).unwrap();
    }
}

/// Another implementation verifies the certificates. Skipped if that program is not installed.
#[tokio::test]
async fn openssl_verifies_them() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("openssl is not installed");
        return;
    }
    let scratch = Scratch::new();
    let room = scratch.room().await;
    let now = Timestamp::wall();
    let issued = room.issue(&server(), now).await.unwrap();
    room.rotate_authority(false, now).await.unwrap();
    let bundle: String = room
        .trusted(now)
        .await
        .unwrap()
        .into_iter()
        .map(|one| one.certificate)
        .collect();
    let place = |name: &str, content: &[u8]| {
        let path = scratch.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let bundle = place("bundle.pem", bundle.as_bytes());
    let leaf = place("leaf.pem", issued.certificate.as_bytes());
    let key = place("key.pem", issued.key.expose());
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), text)
    };
    let strict = ["verify", "-x509_strict", "-CAfile", &bundle, "-purpose"];
    let verify = |purpose: &str, more: &[&str]| openssl(&[&strict[..], &[purpose], more, &[&leaf]].concat());
    let (good, said) = verify("sslserver", &["-verify_hostname", "one.example"]);
    assert!(good, "{said}");
    let (good, said) = verify("sslserver", &["-verify_ip", "fd00::1"]);
    assert!(good, "{said}");
    assert!(!verify("sslclient", &[]).0);
    assert!(!verify("sslserver", &["-verify_hostname", "two.example"]).0);
    let (good, said) = openssl(&["x509", "-in", &leaf, "-noout", "-text"]);
    assert!(
        good && said.contains("CA:FALSE") && said.contains("TLS Web Server Authentication"),
        "{said}"
    );
    assert!(said.to_lowercase().replace(':', "").contains(&issued.serial), "{said}");
    let (good, of_key) = openssl(&["pkey", "-in", &key, "-pubout"]);
    let (also_good, of_leaf) = openssl(&["x509", "-in", &leaf, "-noout", "-pubkey"]);
    assert!(good && also_good && of_key == of_leaf, "{of_key}{of_leaf}");
}
