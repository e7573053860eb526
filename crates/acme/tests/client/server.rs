//! An authority on the loopback interface, by TLS, that answers as a test wants.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What is answered at a path.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(body: &Value) -> Self {
        Self {
            status: 200,
            body: body.to_string(),
        }
    }

    pub(crate) fn problem(kind: &str, status: u16) -> Self {
        let body = json!({"type": format!("urn:ietf:params:acme:error:{kind}"), "detail": "so it is"});
        Self {
            status,
            body: body.to_string(),
        }
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self {
            status,
            body: body.to_owned(),
        }
    }
}

#[derive(Default)]
struct State {
    answers: BTreeMap<String, Answer>,
    asked: Vec<String>,
}

pub(crate) struct Server {
    pub(crate) base: String,
    trust: PathBuf,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// Starts one with a directory, nonces and accounts.
    pub(crate) async fn start(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let file = format!("orchestrator-acme-client-{}-{name}.pem", std::process::id());
        let trust = std::env::temp_dir().join(file);
        std::fs::write(&trust, made.cert.pem()).unwrap();
        let listener = TcpListener::bind("localhost:0").await.unwrap();
        let server = Self {
            base: format!("https://localhost:{}", listener.local_addr().unwrap().port()),
            trust,
            state: Arc::default(),
        };
        server.set("/directory", server.directory("/nonce"));
        server.set("/nonce", Answer::text(200, ""));
        for account in ["/account", "/account/1"] {
            server.set(account, Answer::json(&json!({"status": "valid"})));
        }
        let (acceptor, state, base) = (
            TlsAcceptor::from(Arc::new(config)),
            server.state.clone(),
            server.base.clone(),
        );
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, state, base) = (acceptor.clone(), state.clone(), base.clone());
                tokio::spawn(async move {
                    let stream = acceptor.accept(stream).await.unwrap();
                    let service = service_fn(|request| {
                        let answered = answer(&state, &base, &request);
                        async move { Ok::<_, Infallible>(answered) }
                    });
                    // A client that goes away is no fault.
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        server
    }

    /// A directory whose `newNonce` is at this path.
    pub(crate) fn directory(&self, nonce: &str) -> Answer {
        let at = |path: &str| format!("{}{path}", self.base);
        Answer::json(&json!({"newNonce": at(nonce), "newAccount": at("/account"), "newOrder": at("/order")}))
    }

    /// An order with a proof of this status.
    pub(crate) fn order(&self, status: &str, authorizations: &[&str]) -> Answer {
        let at = |path: &&str| format!("{}{path}", self.base);
        let urls: Vec<String> = authorizations.iter().map(at).collect();
        Answer::json(
            &json!({"status": status, "authorizations": urls, "finalize": at(&"/finalize"), "certificate": at(&"/certificate")}),
        )
    }

    /// An authorization with this token.
    pub(crate) fn authorization(&self, token: &str) -> Answer {
        let url = format!("{}/challenge", self.base);
        let challenge = json!({"type": "http-01", "url": url, "token": token, "status": "pending"});
        let identifier = json!({"type": "dns", "value": "web.example"});
        Answer::json(&json!({"status": "pending", "identifier": identifier, "challenges": [challenge]}))
    }

    pub(crate) fn set(&self, path: &str, answer: Answer) {
        self.state.lock().unwrap().answers.insert(path.to_owned(), answer);
    }

    pub(crate) fn trust(&self) -> Option<PathBuf> {
        Some(self.trust.clone())
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        let state = self.state.lock().unwrap();
        state.asked.iter().filter(|asked| *asked == path).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        std::fs::remove_file(&self.trust).unwrap();
    }
}

fn answer(state: &Mutex<State>, base: &str, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let mut state = state.lock().unwrap();
    let none = || Answer::problem("malformed", 404);
    let answer = state.answers.get(&path).cloned().unwrap_or_else(none);
    let body = match *request.method() {
        Method::HEAD => String::new(),
        _ => answer.body,
    };
    let response = Response::builder()
        .status(answer.status)
        .header("replay-nonce", "once")
        .header("location", format!("{base}{path}/1"))
        .header("retry-after", "7");
    state.asked.push(path);
    response.body(Full::from(body)).unwrap()
}
