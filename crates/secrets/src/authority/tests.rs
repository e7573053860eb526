use std::net::IpAddr;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::*;
use crate::room::tests::{AT, Site};

const DAY: Duration = Duration::from_secs(86_400);

fn server() -> CertificateRequest {
    CertificateRequest {
        subject: "api of site one".to_owned(),
        names: vec!["one.example".to_owned(), "*.web.example".to_owned()],
        addresses: vec!["fd00::1".parse::<IpAddr>().unwrap(), "192.0.2.1".parse().unwrap()],
        purposes: vec![Purpose::Server],
        validity: DAY,
    }
}

fn client() -> CertificateRequest {
    CertificateRequest {
        subject: "host-1".to_owned(),
        names: vec!["host-1".to_owned()],
        addresses: Vec::new(),
        purposes: vec![Purpose::Client],
        validity: DAY * 30,
    }
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// Whether a certificate is good for a use at a moment, by these authorities.
fn verify(pem: &str, trusted: &[Authority], at: Timestamp, usage: KeyUsage) -> Result<(), webpki::Error> {
    let certificate = der(pem);
    let roots: Vec<CertificateDer<'_>> = trusted.iter().map(|authority| der(&authority.certificate)).collect();
    let anchors: Vec<_> = roots
        .iter()
        .map(|root| anchor_from_trusted_cert(root).unwrap())
        .collect();
    let at = UnixTime::since_unix_epoch(Duration::from_millis(at.0.try_into().unwrap()));
    let leaf = EndEntityCert::try_from(&certificate).unwrap();
    leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &[], at, usage, None, None)
        .map(drop)
}

fn is_for(pem: &str, name: &str) -> bool {
    let certificate = der(pem);
    let leaf = EndEntityCert::try_from(&certificate).unwrap();
    leaf.verify_is_valid_for_subject_name(&ServerName::try_from(name).unwrap())
        .is_ok()
}

#[tokio::test]
async fn a_certificate_is_good_for_what_it_was_issued_for_and_nothing_else() {
    let site = Site::new().await;
    let room = site.start().await.unwrap();
    let issued = room.issue(&server(), AT).await.unwrap();
    let trusted = room.trusted(AT).await.unwrap();
    assert_eq!(trusted.len(), 1);
    assert_eq!(issued.authority, trusted[0].certificate);
    assert_eq!(issued.until, AT.plus(DAY));
    let good = |at| verify(&issued.certificate, &trusted, at, KeyUsage::server_auth());
    good(AT).unwrap();
    good(AT.minus(Duration::from_secs(3599))).expect("the clock of who verifies is behind");
    good(AT.plus(DAY)).unwrap();
    good(AT.plus(DAY + Duration::from_secs(1))).unwrap_err();
    good(AT.minus(Duration::from_secs(3601))).unwrap_err();
    verify(&issued.certificate, &trusted, AT, KeyUsage::client_auth()).unwrap_err();
    for name in ["one.example", "a.web.example", "fd00::1", "192.0.2.1"] {
        assert!(is_for(&issued.certificate, name), "{name}");
    }
    for name in ["two.example", "web.example", "fd00::2", "api"] {
        assert!(!is_for(&issued.certificate, name), "{name}");
    }
    // What a leaf has signed is worth nothing.
    let other = Site::new().await;
    let foreign = other.start().await.unwrap().issue(&server(), AT).await.unwrap();
    verify(&foreign.certificate, &trusted, AT, KeyUsage::server_auth()).unwrap_err();
    assert_ne!(foreign.serial, issued.serial);
}

#[tokio::test]
async fn one_authority_issues_for_everybody_and_after_a_restart() {
    let site = Site::new().await;
    let (one, other) = (site.start().await.unwrap(), site.start().await.unwrap());
    let (server, client) = (server(), client());
    let (first, second) = tokio::join!(one.issue(&server, AT), other.issue(&client, AT));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.authority, second.authority);
    let again = site.start().await.unwrap().issue(&client, AT).await.unwrap();
    assert_eq!(again.authority, first.authority);
    let on_record = site.store.sealed().certificates().await.unwrap();
    assert_eq!(on_record.len(), 3);
    assert!(
        on_record
            .iter()
            .any(|known| known.serial == first.serial && known.purpose == "server")
    );
    assert!(one.revoke(&second.serial, AT).await.unwrap());
    assert!(!one.revoke(&second.serial, AT).await.unwrap());
    assert!(other.is_revoked(&second.serial).await.unwrap());
    assert!(!other.is_revoked(&first.serial).await.unwrap());
}

#[tokio::test]
async fn an_old_authority_is_trusted_until_its_last_certificate_ends_and_issues_nothing() {
    let site = Site::new().await;
    let room = site.start().await.unwrap();
    let old = room.issue(&client(), AT).await.unwrap();
    room.issue(&server(), AT).await.unwrap();
    let rotated = room.rotate_authority(false, AT).await.unwrap();
    let (retired, trusted_until) = rotated.from.unwrap();
    assert_eq!(trusted_until, AT.plus(DAY * 30), "the end of the one that ends last");
    assert_eq!(
        room.read(&authority_key_name(retired)).await.unwrap(),
        None,
        "its private key is gone"
    );
    let new = room.issue(&client(), AT).await.unwrap();
    assert_ne!(new.authority, old.authority);
    let trusted = room.trusted(AT).await.unwrap();
    let states: Vec<State> = trusted.iter().map(|authority| State::of(authority, AT)).collect();
    assert_eq!(states, [State::Trusted, State::Issuing]);
    for issued in [&old, &new] {
        verify(&issued.certificate, &trusted, AT, KeyUsage::client_auth()).unwrap();
    }
    let later = room.trusted(AT.plus(DAY * 30)).await.unwrap();
    assert_eq!(
        later.iter().map(|authority| authority.id).collect::<Vec<_>>(),
        [rotated.to]
    );
}

#[tokio::test]
async fn an_authority_can_be_ended_at_once() {
    let site = Site::new().await;
    let room = site.start().await.unwrap();
    let oldest = room.issue(&client(), AT).await.unwrap();
    room.rotate_authority(false, AT).await.unwrap();
    let old = room.issue(&client(), AT).await.unwrap();
    room.rotate_authority(true, AT).await.unwrap();
    let trusted = room.trusted(AT).await.unwrap();
    assert_eq!(trusted.len(), 1);
    for issued in [&oldest, &old] {
        verify(&issued.certificate, &trusted, AT, KeyUsage::client_auth()).unwrap_err();
    }
    let new = room.issue(&client(), AT).await.unwrap();
    verify(&new.certificate, &trusted, AT, KeyUsage::client_auth()).unwrap();
}

#[tokio::test]
async fn no_certificate_outlives_its_authority_and_an_ended_one_is_replaced() {
    let site = Site::new().await;
    let room = site.start().await.unwrap();
    let request = CertificateRequest {
        validity: DAY * 36_500,
        ..client()
    };
    let issued = room.issue(&request, AT).await.unwrap();
    assert_eq!(issued.until, room.trusted(AT).await.unwrap()[0].until);
    let later = issued.until.plus(DAY);
    let new = room.issue(&client(), later).await.unwrap();
    assert_ne!(new.authority, issued.authority);
    assert_eq!(room.trusted(later).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_authority_survives_a_rotation_of_the_key() {
    let site = Site::new().await;
    let room = site.start().await.unwrap();
    let before = room.issue(&client(), AT).await.unwrap();
    crate::rotate_key(&site.beside().await, &site.file, AT).await.unwrap();
    let after = site.start().await.unwrap().issue(&client(), AT).await.unwrap();
    assert_eq!(before.authority, after.authority);
    assert_eq!(room.issue(&client(), AT).await.unwrap().authority, after.authority);
}
