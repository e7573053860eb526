//! The client of an authority, against one on the loopback interface that misbehaves.

mod server;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_acme::{Authority, Client, Reach, Refusal, Standing, Vault};
use orchestrator_secrets::Secret;
use server::{Answer, Server};

const NAME: &str = "web.example";

#[derive(Default)]
struct Rows(Mutex<BTreeMap<String, Secret>>);

#[async_trait]
impl Vault for Rows {
    async fn read(&self, name: &str) -> Result<Option<Secret>, String> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    async fn keep(&self, name: &str, secret: &Secret) -> Result<(), String> {
        self.0.lock().unwrap().insert(name.to_owned(), secret.clone());
        Ok(())
    }

    async fn forget(&self, name: &str) -> Result<(), String> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }
}

fn client(server: &Server, email: Option<&str>) -> Client {
    client_with(server, email, &Arc::default())
}

fn client_with(server: &Server, email: Option<&str>, rows: &Arc<Rows>) -> Client {
    let directory = format!("{}/directory", server.base);
    Client::new(&directory, email.map(str::to_owned), server.trust(), rows.clone())
}

/// A server with an order that waits for a proof, and its URL.
async fn pending(name: &str) -> (Server, String) {
    let server = Server::start(name).await;
    server.set("/order", server.order("pending", &["/authorization"]));
    server.set("/order/1", server.order("pending", &["/authorization"]));
    server.set("/authorization", server.authorization("token"));
    let url = format!("{}/order/1", server.base);
    (server, url)
}

fn is_of_all(refusal: &Refusal) -> bool {
    (refusal.is_passing, refusal.reach) == (true, Reach::All)
}

#[tokio::test]
async fn an_order_is_placed_and_its_proof_is_read() {
    let (server, url) = pending("placed").await;
    let mut client = client(&server, Some("me@web.example"));
    assert_eq!(client.place(NAME).await.unwrap(), url);
    let Standing::Pending { proofs, is_answered } = client.look(&url).await.unwrap() else {
        panic!("it is pending")
    };
    assert_eq!((proofs.len(), is_answered), (1, false));
    let proof = proofs.first().unwrap();
    assert!(proof.answer.starts_with("token.") && proof.can_be_shown());
    assert_eq!((server.asked("/account"), server.asked("/account/1")), (1, 1));
}

#[tokio::test]
async fn a_directory_with_what_is_no_url_is_a_refusal_and_no_panic() {
    let server = Server::start("directory").await;
    for (answer, expected) in [
        (server.directory("a<b"), "newNonce of the directory: "),
        (
            Answer::text(200, r#"{"newNonce":"","newAccount":"","newOrder":""}"#),
            "newNonce of the directory: ",
        ),
        (Answer::text(502, "<html>"), "it answers 502 Bad Gateway"),
        (Answer::text(200, "<html>"), "it is no directory of an authority"),
    ] {
        server.set("/directory", answer);
        let refusal = client(&server, None).place(NAME).await.unwrap_err();
        assert!(refusal.reason.contains(expected) && is_of_all(&refusal), "{refusal:?}");
        assert_eq!(refusal.after, Some(Duration::from_secs(7)));
    }
    for url in ["https://a<b/", "https://[::1/dir", "https://h:99999/", "no url"] {
        let mut client = Client::new(url, None, None, Arc::new(Rows::default()));
        let refusal = client.place(NAME).await.unwrap_err();
        assert!(refusal.reason.contains(url) && is_of_all(&refusal), "{refusal:?}");
    }
}

#[tokio::test]
async fn without_a_nonce_nothing_can_be_asked() {
    let (server, _) = pending("nonce").await;
    server.set("/nonce", Answer::text(503, ""));
    let refusal = client(&server, None).place(NAME).await.unwrap_err();
    assert!(is_of_all(&refusal) && refusal.reason.contains("503"), "{refusal:?}");
}

#[tokio::test]
async fn an_account_that_is_not_made_concerns_all_and_ends_no_order() {
    let (server, url) = pending("account").await;
    for kind in ["externalAccountRequired", "userActionRequired", "malformed"] {
        server.set("/account", Answer::problem(kind, 400));
        let refusal = client(&server, None).look(&url).await.unwrap_err();
        assert!(is_of_all(&refusal) && refusal.reason.contains(kind), "{refusal:?}");
    }
}

#[tokio::test]
async fn an_address_for_mail_that_is_refused_stops_nothing() {
    let (server, url) = pending("email").await;
    server.set("/account/1", Answer::problem("invalidContact", 400));
    let mut client = client(&server, Some("me@nowhere.invalid"));
    client.look(&url).await.unwrap();
    client.look(&url).await.unwrap();
    assert_eq!(server.asked("/account/1"), 1);
}

#[tokio::test]
async fn the_authority_is_told_an_address_for_mail_once_and_again_only_after_it_refused_it() {
    let (server, url) = pending("told").await;
    let rows = Arc::new(Rows::default());
    let email = Some("me@web.example");
    server.set("/account/1", Answer::problem("invalidContact", 400));
    client_with(&server, email, &rows).look(&url).await.unwrap();
    server.set("/account/1", Answer::text(200, r#"{"status":"valid"}"#));
    for _ in 0..3 {
        client_with(&server, email, &rows).look(&url).await.unwrap();
    }
    assert_eq!((server.asked("/account"), server.asked("/account/1")), (4, 2));
}

#[tokio::test]
async fn an_account_that_is_gone_is_made_again_and_the_order_goes_on() {
    let (server, url) = pending("gone").await;
    let mut client = client(&server, None);
    client.look(&url).await.unwrap();
    server.set("/order/1", Answer::problem("accountDoesNotExist", 400));
    let refusal = client.look(&url).await.unwrap_err();
    assert!(refusal.is_passing, "{refusal:?}");
    server.set("/order/1", server.order("ready", &["/authorization"]));
    assert_eq!(client.look(&url).await.unwrap(), Standing::Ready);
    assert_eq!(server.asked("/account"), 2);
}

#[tokio::test]
async fn an_order_ends_only_if_the_authority_does_not_know_it() {
    let (server, url) = pending("ends").await;
    let mut client = client(&server, None);
    for answer in [
        Answer::text(502, "<html>"),
        Answer::text(200, "<html>"),
        Answer::problem("orderNotReady", 403),
        Answer::problem("malformed", 400),
        Answer::problem("unauthorized", 401),
    ] {
        server.set("/order/1", answer);
        assert!(client.look(&url).await.unwrap_err().is_passing);
        assert!(client.fetch(&url).await.unwrap_err().is_passing);
    }
    server.set("/order/1", server.order("ready", &["/authorization"]));
    server.set("/finalize", Answer::problem("orderNotReady", 403));
    assert!(client.finalize(&url, b"request").await.unwrap_err().is_passing);
    // The order is valid, and the place of its certificate is not there yet.
    server.set("/order/1", server.order("valid", &["/authorization"]));
    server.set("/certificate", Answer::text(404, "<html>"));
    assert!(client.fetch(&url).await.unwrap_err().is_passing);
    server.set("/order/1", Answer::text(404, "<html>"));
    let refusal = client.look(&url).await.unwrap_err();
    assert!(
        !refusal.is_passing && refusal.reason.contains("404 Not Found"),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn a_limit_on_orders_is_one_of_all_further_orders() {
    let (server, _) = pending("limit").await;
    server.set("/order", Answer::problem("rateLimited", 429));
    let refusal = client(&server, None).place(NAME).await.unwrap_err();
    assert_eq!((refusal.is_passing, refusal.reach), (true, Reach::Orders));
    assert_eq!(refusal.after, Some(Duration::from_secs(7)));
    server.set("/order", Answer::problem("rejectedIdentifier", 400));
    let refusal = client(&server, None).place(NAME).await.unwrap_err();
    assert_eq!((refusal.is_passing, refusal.reach), (false, Reach::One));
}

#[tokio::test]
async fn a_proof_that_cannot_be_shown_ends_the_order_with_its_token() {
    let (server, url) = pending("token").await;
    let mut client = client(&server, None);
    for bad in ["", "a/b", &"a".repeat(300)] {
        server.set("/authorization", server.authorization(bad));
        let Standing::Invalid(reason) = client.look(&url).await.unwrap() else {
            panic!("{bad:?} is taken")
        };
        assert!(reason.contains("cannot be shown"), "{reason}");
    }
}

#[tokio::test]
async fn an_order_with_several_proofs_is_refused_and_they_are_not_read() {
    let (server, url) = pending("several").await;
    server.set("/order/1", server.order("pending", &["/authorization"; 50]));
    let Standing::Invalid(reason) = client(&server, None).look(&url).await.unwrap() else {
        panic!("it is taken")
    };
    assert!(reason.contains("50 proofs"), "{reason}");
    assert_eq!(server.asked("/authorization"), 0);
}

#[tokio::test]
async fn a_complaint_about_a_proof_is_left_to_the_next_look() {
    let (server, url) = pending("complaint").await;
    let mut client = client(&server, None);
    server.set("/challenge", Answer::problem("unauthorized", 403));
    client.answer(&url).await.unwrap();
    for kind in ["badNonce", "accountDoesNotExist"] {
        server.set("/challenge", Answer::problem(kind, 400));
        assert!(
            client.answer(&url).await.unwrap_err().is_passing,
            "{kind} says nothing of the proof"
        );
    }
    server.set("/challenge", Answer::text(500, ""));
    assert!(client.answer(&url).await.unwrap_err().is_passing);
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_read() {
    let (server, url) = pending("long").await;
    server.set("/order/1", Answer::text(200, &" ".repeat(300 * 1024)));
    let refusal = client(&server, None).look(&url).await.unwrap_err();
    assert!(refusal.reason.contains("length limit exceeded"), "{refusal:?}");
    assert_eq!((refusal.is_passing, refusal.reach), (true, Reach::One));
}
