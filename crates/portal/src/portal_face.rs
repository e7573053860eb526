//! The portal of a link: the page of a client, and what the client does there.

use std::net::Ipv6Addr;
use std::sync::Arc;

use async_trait::async_trait;
use hyper::{Method, StatusCode};
use orchestrator_model::{ClientAction, Clock, InstanceId};
use orchestrator_runtime::metrics::Metrics;

use crate::facts::{ClientPage, Facts, Unavailable};
use crate::form::fields;
use crate::page::{home, notice};
use crate::{Actions, Face, Refusal, Request, Response, Source, TokenKey, capport};

/// The word for metrics.
const FACE: &str = "portal";

/// What a portal works with.
pub struct PortalParts {
    /// Where the facts are read from.
    pub facts: Arc<dyn Facts>,
    /// Carries out the requests of clients.
    pub actions: Arc<dyn Actions>,
    /// The key of the forms' tokens.
    pub key: TokenKey,
    /// The time.
    pub clock: Clock,
    /// Where it counts.
    pub metrics: Metrics,
    /// The address of the portal.
    pub address: Ipv6Addr,
    /// The name of the portal, if its certificate has one.
    pub host: Option<String>,
    /// Whether it is served by HTTPS.
    pub is_secure: bool,
}

/// The portal of a link.
pub struct Portal {
    parts: PortalParts,
}

impl Portal {
    /// A portal of these parts.
    pub fn new(parts: PortalParts) -> Self {
        Self { parts }
    }

    /// Where the portal is, as a browser writes it.
    fn origin(&self) -> String {
        let scheme = if self.parts.is_secure { "https" } else { "http" };
        match self.parts.host.as_ref().filter(|_| self.parts.is_secure) {
            Some(host) => format!("{scheme}://{host}"),
            None => format!("{scheme}://[{}]", self.parts.address),
        }
    }

    /// Whether a request names the portal, and no name that somebody else has made lead here.
    fn is_named(&self, request: &Request) -> bool {
        let Some(host) = request.host.as_deref() else {
            return false;
        };
        let own = format!("[{}]", self.parts.address);
        let name = host.strip_suffix(":80").or(host.strip_suffix(":443")).unwrap_or(host);
        name == own
            || self
                .parts
                .host
                .as_deref()
                .is_some_and(|own| name.eq_ignore_ascii_case(own))
    }

    /// What a form asks for is done; the answer leads back to the page.
    async fn act(&self, source: &Source, request: &Request, page: &ClientPage) -> Response {
        match self.try_to_act(source, request, page).await {
            Ok(()) => Response::text(StatusCode::SEE_OTHER, "").with("Location", "/"),
            Err((status, reason, text)) => {
                self.parts.metrics.portal_refused(FACE, reason);
                notice(status, "That did not work", &text)
            }
        }
    }

    async fn try_to_act(&self, source: &Source, request: &Request, page: &ClientPage) -> Result<(), Refused> {
        let again = "This form is not from this page, or too old. Open the page again, and use the form there.";
        let forged = || (StatusCode::FORBIDDEN, "forged", again.to_owned());
        // A browser says which site a form is from.
        if request.origin.as_ref().is_some_and(|origin| *origin != self.origin()) {
            return Err(forged());
        }
        let form = fields(request).ok_or_else(forged)?;
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if !self.parts.key.fits(source, field("token")) {
            return Err(forged());
        }
        let failed = |Refusal(why): Refusal| (StatusCode::CONFLICT, "failed", why);
        let actions = &self.parts.actions;
        match request.path.as_str() {
            "/restart" => {
                let instance = allowed(page, field("instance"), ClientAction::Restart)?;
                actions.restart(source, instance).await.map_err(failed)
            }
            "/extend" => {
                let instance = allowed(page, field("instance"), ClientAction::Extend)?;
                actions.extend(source, instance).await.map_err(failed)
            }
            "/keys" if page.instances.iter().any(|card| card.may.contains(&ClientAction::Keys)) => {
                let lines = field("keys").lines().map(str::trim).filter(|line| !line.is_empty());
                actions
                    .set_keys(source, lines.map(str::to_owned).collect())
                    .await
                    .map_err(failed)
            }
            _ => Err((StatusCode::NOT_FOUND, "not-found", "There is no such form.".to_owned())),
        }
    }
}

/// Why nothing was done: the status, a word for a counter, and a sentence.
type Refused = (StatusCode, &'static str, String);

/// The instance of this id, if it is the client's and the client may do this with it.
fn allowed(page: &ClientPage, id: &str, action: ClientAction) -> Result<InstanceId, Refused> {
    let mut own = page.instances.iter().filter(|card| card.id.to_string() == id);
    let found = own.find(|card| card.may.contains(&action)).map(|card| card.id);
    let refused = "You have no such machine any more, or may not do this with it.";
    found.ok_or_else(|| (StatusCode::FORBIDDEN, "not-allowed", refused.to_owned()))
}

#[async_trait]
impl Face for Portal {
    fn word(&self) -> &'static str {
        FACE
    }

    async fn answer(&self, source: &Source, request: &Request) -> Response {
        if !self.is_named(request) {
            self.parts.metrics.portal_refused(FACE, "other-host");
            return Response::text(StatusCode::FOUND, "").with("Location", format!("{}/", self.origin()));
        }
        let page = match client_of(self.parts.facts.as_ref(), source, FACE, &self.parts.metrics).await {
            Ok(page) => page,
            Err(refused) => return refused,
        };
        self.parts.metrics.portal_answered(FACE);
        let now = self.parts.clock.now();
        match (&request.method, request.path.as_str()) {
            (&Method::GET | &Method::HEAD, "/") => home(&page, &self.parts.key.token(source), now),
            (&Method::GET | &Method::HEAD, capport::PATH) => {
                capport::answer(&page, &format!("{}/", self.origin()), now)
            }
            (&Method::POST, _) => self.act(source, request, &page).await,
            _ => notice(StatusCode::NOT_FOUND, "Not found", "There is only one page here, at /."),
        }
    }
}

/// The client at a source, or the answer to somebody who is none.
pub(crate) async fn client_of(
    facts: &dyn Facts,
    source: &Source,
    face: &'static str,
    metrics: &Metrics,
) -> Result<ClientPage, Response> {
    let (reason, response) = match facts.client(&source.link, source.address).await {
        Ok(Some(page)) => return Ok(page),
        Ok(None) => (
            "unknown-source",
            notice(
                StatusCode::FORBIDDEN,
                "This device is not known here",
                "It has no lease at the address that it uses. Switch its network off and on, so that it asks for one by \
                 DHCPv6; private addresses of a browser or a VPN may have to be switched off.",
            ),
        ),
        Err(Unavailable(reason)) => {
            tracing::debug!(reason, "a client's page could not be read");
            let text = "The state of your machine cannot be read at the moment. Try again in a few seconds.";
            let page = notice(StatusCode::SERVICE_UNAVAILABLE, "Try again soon", text);
            ("unavailable", page.with("Retry-After", "5"))
        }
    };
    metrics.portal_refused(face, reason);
    Err(response)
}

#[cfg(test)]
mod tests;
