//! Tokens over a real store.

use std::time::Duration;

use orchestrator_model::{EventKind, Role, Timestamp};
use orchestrator_store::{EventFilter, Store, StoreError};
use ring::hmac;

use super::*;
use crate::{KeyFile, rotate_key};

const AT: Timestamp = Timestamp(1_800_000_000_000);

/// A store and a key file in a directory of the test's own.
struct Place {
    directory: std::path::PathBuf,
    store: Store,
}

impl Place {
    async fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("orchestrator-tokens-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        let url = format!("sqlite://{}", directory.join("o.db").display());
        let store = Store::open(&url).await.unwrap();
        Self { directory, store }
    }

    fn key_file(&self) -> KeyFile {
        KeyFile::at(&self.directory.join("o.key"))
    }

    async fn room(&self) -> Room {
        Room::open(self.store.sealed(), self.key_file(), AT).await.unwrap()
    }

    /// The tokens, as a daemon finds them that starts now.
    async fn tokens(&self) -> Tokens {
        Tokens::open_at(self.store.clone(), self.room().await, AT)
            .await
            .unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn new(name: &str, role: Role) -> NewToken {
    NewToken {
        name: name.to_owned(),
        role,
        scope: Scope::default(),
        signs: false,
        until: None,
    }
}

fn later(seconds: u64) -> Timestamp {
    AT.plus(Duration::from_secs(seconds))
}

fn by() -> Option<String> {
    Some("user alice".to_owned())
}

#[tokio::test]
async fn a_token_is_known_after_a_restart_and_refused_once_it_is_removed() {
    let place = Place::new("restart").await;
    let tokens = place.tokens().await;
    let (recorded, token) = tokens.add(new("ci", Role::Operator), by(), AT).await.unwrap();
    let text = token.expose_text().unwrap();
    let granted = tokens.sent(text, AT).unwrap();
    assert_eq!((granted.caller.as_str(), granted.role), ("token ci", Role::Operator));
    let rows = place.store.tokens().await.unwrap();
    assert_eq!(rows, [recorded]);
    assert!(!format!("{rows:?}").contains(&text[18..]), "only its hash is recorded");
    let exists = tokens.add(new("ci", Role::Viewer), by(), AT).await;
    assert!(
        matches!(exists, Err(SecretsError::Store(StoreError::TokenExists(_)))),
        "{exists:?}"
    );

    let again = place.tokens().await;
    let granted = again.sent(text, AT).unwrap();
    again.remove("ci", by(), AT).await.unwrap();
    assert_eq!(again.sent(text, AT).unwrap_err(), Denied::Unknown);
    assert!(granted.removed.is_cancelled(), "what is being answered ends");
    assert!(again.remove("ci", by(), AT).await.is_err());
    let events = place.store.events(EventFilter::default()).await.unwrap().items;
    let kinds: Vec<_> = events.iter().map(|event| (event.kind, event.by.clone())).collect();
    assert_eq!(kinds, [(EventKind::TokenAdded, by()), (EventKind::TokenRemoved, by())]);
    assert_eq!(events[0].detail.as_deref(), Some("token ci, operator"));
}

#[tokio::test]
async fn whatever_is_not_the_token_is_refused() {
    let place = Place::new("wrong").await;
    let tokens = place.tokens().await;
    let (_, token) = tokens.add(new("ci", Role::Admin), None, AT).await.unwrap();
    let text = token.expose_text().unwrap();
    let mut last_digit = text.to_owned();
    let other = if last_digit.pop() == Some('0') { '1' } else { '0' };
    last_digit.push(other);
    let (_, second) = tokens.add(new("second", Role::Viewer), None, AT).await.unwrap();
    let second = second.expose_text().unwrap();
    // The name of one with the secret of another.
    let mixed = format!("{}{}", &text[..18], &second[18..]);
    for wrong in [
        "",
        "orct",
        &last_digit,
        &mixed,
        &text.replacen("orct", "orcs", 1),
        &text.to_uppercase(),
    ] {
        assert_eq!(tokens.sent(wrong, AT).unwrap_err(), Denied::Unknown, "{wrong}");
    }
    for name in ["", "CI", "a b", "a/b", &"a".repeat(41)] {
        let refused = tokens.add(new(name, Role::Viewer), None, AT).await;
        assert!(matches!(refused, Err(SecretsError::BadTokenName(_))), "{name}");
    }
}

#[tokio::test]
async fn a_token_ends_at_its_time() {
    let place = Place::new("ends").await;
    let tokens = place.tokens().await;
    let until = Some(later(60));
    let wanted = NewToken {
        until,
        ..new("guest", Role::Viewer)
    };
    let (_, token) = tokens.add(wanted, None, AT).await.unwrap();
    let text = token.expose_text().unwrap();
    assert!(tokens.sent(text, later(59)).is_ok());
    let ended = tokens.sent(text, later(60)).unwrap_err();
    assert_eq!(ended.code(), "token-ended");
}

#[tokio::test]
async fn the_token_before_a_rotation_is_accepted_for_a_while() {
    let place = Place::new("rotated").await;
    let tokens = place.tokens().await;
    let (_, before) = tokens.add(new("ci", Role::Viewer), None, AT).await.unwrap();
    let overlap = Duration::from_secs(3600);
    let (_, after) = tokens.rotate("ci", overlap, by(), AT).await.unwrap();
    // As well for the daemon that has rotated it as for the next one.
    for tokens in [tokens, place.tokens().await] {
        let sent = |token: &Secret, at| {
            tokens
                .sent(token.expose_text().unwrap(), at)
                .map(|granted| granted.caller)
        };
        assert_eq!(sent(&before, later(3599)), Ok("token ci".to_owned()));
        assert_eq!(sent(&after, later(3599)), Ok("token ci".to_owned()));
        assert_eq!(sent(&before, later(3600)), Err(Denied::Unknown));
        assert!(sent(&after, later(3600)).is_ok());
    }
}

#[tokio::test]
async fn a_use_is_recorded_at_most_once_a_minute() {
    let place = Place::new("used").await;
    let tokens = place.tokens().await;
    let (_, token) = tokens.add(new("ci", Role::Viewer), None, AT).await.unwrap();
    let text = token.expose_text().unwrap();
    let recorded = async || place.store.tokens().await.unwrap()[0].used;
    for (used, expected) in [(10, 10), (11, 10), (69, 10), (70, 70), (71, 70)] {
        tokens.sent(text, later(used)).unwrap();
        tokens.refresh().await.unwrap();
        assert_eq!(recorded().await, Some(later(expected)), "{used}");
        assert_eq!(tokens.list()[0].used, Some(later(used)));
    }
}

fn sign<'a>(key: &Secret, request: SignedRequest<'a>, signature: &'a mut String) -> SignedRequest<'a> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
    *signature = hex::encode(hmac::sign(&key, request.text().as_bytes()).as_ref());
    SignedRequest { signature, ..request }
}

#[tokio::test]
async fn a_signed_request_is_accepted_once_and_only_as_it_was_signed() {
    let place = Place::new("signed").await;
    let tokens = place.tokens().await;
    let wanted = NewToken {
        signs: true,
        ..new("hooks", Role::Operator)
    };
    let (recorded, key) = tokens.add(wanted, None, AT).await.unwrap();
    // A key is never to be sent.
    let sent = tokens.sent(key.expose_text().unwrap(), AT).unwrap_err();
    assert_eq!(sent.code(), "token-only-signs");
    let now = later(100);
    let request = SignedRequest {
        token: recorded.id,
        method: "POST",
        target: "/v1/pause",
        time: now.0 / 1000,
        nonce: "0123456789abcdef",
        body: b"{}",
        signature: "",
    };
    let mut signature = String::new();
    let signed = sign(&key, request, &mut signature);
    for changed in [
        SignedRequest {
            method: "PUT",
            ..signed
        },
        SignedRequest {
            target: "/v1/resume",
            ..signed
        },
        SignedRequest {
            time: signed.time + 1,
            ..signed
        },
        SignedRequest {
            nonce: "0123456789abcdeg",
            ..signed
        },
        SignedRequest { body: b"{ }", ..signed },
        SignedRequest {
            signature: "",
            ..signed
        },
        SignedRequest {
            signature: &signed.signature[1..],
            ..signed
        },
    ] {
        assert_eq!(
            tokens.signed_at(&changed, now, now).unwrap_err(),
            Denied::BadSignature,
            "{changed:?}"
        );
    }
    // What was refused has used no nonce up.
    assert_eq!(tokens.signed_at(&signed, now, now).unwrap().caller, "token hooks");
    assert_eq!(tokens.signed_at(&signed, now, now).unwrap_err(), Denied::Replayed);

    // The next daemon starts a second later: it refuses what the one before has accepted.
    let next = Tokens::open_at(place.store.clone(), place.room().await, later(101))
        .await
        .unwrap();
    assert_eq!(
        next.signed_at(&signed, later(101), later(101)).unwrap_err(),
        Denied::BeforeStart
    );
    let (_, plain) = next.add(new("plain", Role::Viewer), None, AT).await.unwrap();
    let of_plain = SignedRequest {
        token: next
            .sent(plain.expose_text().unwrap(), AT)
            .map(|_| next.list()[1].id)
            .unwrap(),
        ..signed
    };
    assert_eq!(
        next.signed_at(&of_plain, now, now).unwrap_err().code(),
        "token-does-not-sign"
    );
}

#[tokio::test]
async fn both_keys_sign_during_a_rotation_and_also_after_the_sealing_key_was_replaced() {
    let place = Place::new("keys").await;
    let tokens = place.tokens().await;
    let wanted = NewToken {
        signs: true,
        ..new("hooks", Role::Hook)
    };
    let (recorded, before) = tokens.add(wanted, None, AT).await.unwrap();
    let (_, after) = tokens
        .rotate("hooks", Duration::from_secs(3600), None, AT)
        .await
        .unwrap();
    let rotated = rotate_key(&place.store.sealed(), &place.key_file(), AT).await.unwrap();
    assert_eq!(rotated.secrets, 3, "the key of the hashes, and two that sign");
    let mut number = 0;
    for tokens in [tokens, place.tokens().await] {
        tokens.refresh().await.unwrap();
        for (key, at, is_accepted) in [
            (&before, 3599, true),
            (&after, 3599, true),
            (&before, 3601, false),
            (&after, 3601, true),
        ] {
            number += 1;
            let nonce = format!("nonce-of-number-{number}");
            let request = SignedRequest {
                token: recorded.id,
                method: "POST",
                target: "/v1/hooks/dnsmasq",
                time: later(at).0 / 1000,
                nonce: &nonce,
                body: b"",
                signature: "",
            };
            let mut signature = String::new();
            let signed = sign(key, request, &mut signature);
            let accepted = tokens.signed_at(&signed, later(at), later(at));
            assert_eq!(accepted.is_ok(), is_accepted, "{at} {accepted:?}");
        }
    }
}
