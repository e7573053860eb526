//! Requests to a registry.

use std::io::Read;
use std::time::Duration;

use orchestrator_plugin::{Credentials, EngineError};
use serde::Deserialize;
use ureq::http::{Response, StatusCode, Uri, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::challenge::Challenge;
use super::manifest::{ACCEPTED, DOCUMENT};
use super::reference::Reference;
use super::{interrupted, refused};

/// Limits on the steps of a request.
const RESOLVE: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(15);
const ANSWER: Duration = Duration::from_secs(60);
/// Limit on one blob. Until then the one who waits gives up when nothing comes.
const BLOB: Duration = Duration::from_secs(6 * 60 * 60);
/// The most places that a registry may point on to.
const REDIRECTS: u32 = 5;
/// The longest answer with a token, in bytes.
const TOKEN: u64 = 1 << 20;

/// A registry, with what is known of it.
pub(super) struct Registry {
    pub(super) reference: Reference,
    credentials: Option<Credentials>,
    agent: Agent,
    is_plain: bool,
    /// The value of the header that says who asks.
    authorization: Option<String>,
}

/// An answer of one that gives tokens.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Registry {
    /// The registry of an image. Without TLS are those on the loopback interface, and those that are listed.
    pub(super) fn new(reference: Reference, credentials: Option<Credentials>, plain: &[String]) -> Self {
        let is_plain = reference.is_loopback() || plain.contains(&reference.registry);
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .https_only(!is_plain)
            .http_status_as_error(false)
            .max_redirects(REDIRECTS)
            .timeout_resolve(Some(RESOLVE))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_recv_body(Some(BLOB))
            .user_agent(concat!("orchestrator/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        Self {
            reference,
            credentials,
            agent: config.into(),
            is_plain,
            authorization: None,
        }
    }

    /// A manifest or an index, by a tag or a digest.
    pub(super) fn manifest(&mut self, version: &str) -> Result<Vec<u8>, EngineError> {
        let path = format!("manifests/{version}");
        let answer = self.get(&path, Some(ACCEPTED))?;
        self.document(answer)
    }

    /// A small blob.
    pub(super) fn small_blob(&mut self, digest: &str) -> Result<Vec<u8>, EngineError> {
        let answer = self.get(&format!("blobs/{digest}"), None)?;
        self.document(answer)
    }

    /// The content of a blob, as it comes.
    pub(super) fn blob(&mut self, digest: &str) -> Result<impl Read + use<>, EngineError> {
        let answer = self.get(&format!("blobs/{digest}"), None)?;
        Ok(answer.into_body().into_reader())
    }

    /// A fault of what was asked for.
    pub(super) fn refused(&self, reason: impl Into<String>) -> EngineError {
        refused(&self.reference.given, reason)
    }

    /// A fault that may pass.
    pub(super) fn interrupted(&self, reason: &str) -> EngineError {
        interrupted(&self.reference.given, reason)
    }

    fn document(&self, answer: Response<Body>) -> Result<Vec<u8>, EngineError> {
        let read = answer.into_body().into_with_config().limit(DOCUMENT).read_to_vec();
        read.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => self.refused(format!("a document has more than {DOCUMENT} bytes")),
            error => self.unreached(&error),
        })
    }

    /// Asks for something of the repository. Says who asks once the registry wants to know it.
    fn get(&mut self, path: &str, accept: Option<&str>) -> Result<Response<Body>, EngineError> {
        let answer = self.ask(path, accept)?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return self.checked(answer);
        }
        self.authorization = Some(self.authorize(&answer)?);
        let answer = self.ask(path, accept)?;
        self.checked(answer)
    }

    fn ask(&self, path: &str, accept: Option<&str>) -> Result<Response<Body>, EngineError> {
        let scheme = if self.is_plain { "http" } else { "https" };
        let Reference { repository, .. } = &self.reference;
        let url = format!("{scheme}://{}/v2/{repository}/{path}", self.reference.host());
        let mut request = self.agent.get(&url);
        if let Some(accept) = accept {
            request = request.header(header::ACCEPT, accept);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        request.call().map_err(|error| self.unreached(&error))
    }

    fn checked(&self, answer: Response<Body>) -> Result<Response<Body>, EngineError> {
        let registry = &self.reference.registry;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.refused(self.denied())),
            StatusCode::NOT_FOUND => Err(EngineError::ImageMissing {
                image: self.reference.given.clone(),
            }),
            StatusCode::TOO_MANY_REQUESTS => {
                Err(self.interrupted(&format!("registry {registry} wants fewer requests; try again later")))
            }
            status if status.is_server_error() => {
                Err(self.interrupted(&format!("registry {registry} answers {status}; try again later")))
            }
            status => Err(self.refused(format!("registry {registry} answers {status}"))),
        }
    }

    /// What to do when the registry wants another user.
    fn denied(&self) -> String {
        let registry = &self.reference.registry;
        match &self.credentials {
            Some(Credentials { user, .. }) => format!(
                "registry {registry} does not give it to user {user:?}; give another user or password by `orchestrator \
                 registry login {registry}`"
            ),
            None => format!(
                "registry {registry} gives it to its users only, or does not have it; give a user by `orchestrator \
                 registry login {registry}`"
            ),
        }
    }

    /// The header that says who asks, as the registry wants it.
    fn authorize(&self, answer: &Response<Body>) -> Result<String, EngineError> {
        let challenges = answer.headers().get_all(header::WWW_AUTHENTICATE);
        let mut challenges = challenges
            .iter()
            .filter_map(|value| Challenge::parse(value.to_str().ok()?));
        let registry = &self.reference.registry;
        let Some(challenge) = challenges.next() else {
            return Err(self.refused(format!(
                "registry {registry} wants to know its user in a way that is not known"
            )));
        };
        match (challenge, &self.credentials) {
            (Challenge::Basic, Some(credentials)) => Ok(basic(credentials)),
            (Challenge::Basic, None) => Err(self.refused(self.denied())),
            (Challenge::Bearer { realm, service }, _) => self.token(&realm, service.as_deref()),
        }
    }

    /// A token for this image.
    fn token(&self, realm: &str, service: Option<&str>) -> Result<String, EngineError> {
        let registry = &self.reference.registry;
        let place: Option<Uri> = realm.parse().ok();
        let scheme = place.as_ref().and_then(Uri::scheme_str);
        if !(scheme == Some("https") || self.is_plain && scheme == Some("http")) {
            let reason =
                format!("registry {registry} gives its tokens at a place without TLS, where no password is sent");
            return Err(self.refused(reason));
        }
        let scope = format!("repository:{}:pull", self.reference.repository);
        let mut request = self.agent.get(realm).query("scope", scope);
        if let Some(service) = service {
            request = request.query("service", service);
        }
        if let Some(credentials) = &self.credentials {
            request = request.header(header::AUTHORIZATION, basic(credentials));
        }
        let answer = request.call().map_err(|error| self.unreached(&error))?;
        let answer = match answer.status() {
            StatusCode::BAD_REQUEST => return Err(self.refused(self.denied())),
            _ => self.checked(answer)?,
        };
        let body = answer.into_body().into_with_config().limit(TOKEN).read_to_vec();
        let body = body.map_err(|error| self.unreached(&error))?;
        // What it holds is secret, also in an error.
        let token: Token = serde_json::from_slice(&body)
            .map_err(|_| self.refused(format!("registry {registry} answers something that is no token")))?;
        let token = token.token.or(token.access_token);
        let token = token.filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic()));
        let token = token.ok_or_else(|| self.refused(format!("registry {registry} gives no token")))?;
        Ok(format!("Bearer {token}"))
    }

    /// The registry was not reached, or broke off.
    fn unreached(&self, error: &ureq::Error) -> EngineError {
        let registry = &self.reference.registry;
        match error {
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Io(_) if is_certificate(error) => {
                self.refused(format!("the certificate of registry {registry} is not trusted: {error}"))
            }
            ureq::Error::RequireHttpsOnly(_) => self.refused(format!(
                "registry {registry} points to a place without TLS; list it in http_registries of the engine if that is wanted"
            )),
            ureq::Error::TooManyRedirects => self.refused(format!("registry {registry} points on and on")),
            _ => self.interrupted(&format!("registry {registry} is not reached: {error}")),
        }
    }
}

fn is_certificate(error: &ureq::Error) -> bool {
    error.to_string().contains("certificate")
}

fn basic(credentials: &Credentials) -> String {
    use base64::Engine as _;
    let Credentials { user, password } = credentials;
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {encoded}")
}
