//! How instances reach keys and the registry of services, by the API itself: with a token of their own, from their own
//! address, and no further than their service or client may.

use async_trait::async_trait;
use orchestrator_api::{Caller, Inside, Peer, Role};
use orchestrator_model::{Instance, InstanceId, KvPath, Owner};
use orchestrator_portal::facts::InstanceFacts;
use orchestrator_portal::{Reach, Request, Response, Source, StatusCode};
use orchestrator_runtime::causes::with_causes;
use orchestrator_secrets::{Granted, InstanceTokens, KeyFile, Room, Scope, SecretsError};
use orchestrator_store::Store;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::super::Context;

/// The parameters that an instance may give. A key is bound to its own life alone.
const PARAMETERS: [&str; 8] = ["recurse", "keys", "raw", "index", "wait", "cas", "bound", "service"];
/// The list of services. An instance is shown its own one alone.
const SERVICES: &str = "/v1/services";
/// The longest that a read blocks here: connections to the metadata address are short.
const LONGEST_WAIT: &str = "10s";

/// The tokens of instances, and the API.
pub(in super::super) struct InstanceReach {
    context: Context,
    store: Store,
    inside: Inside,
    /// Read once: the secret behind the tokens never changes.
    tokens: OnceCell<InstanceTokens>,
}

impl InstanceReach {
    pub(in super::super) fn new(context: &Context, store: &Store, inside: Inside) -> Self {
        Self {
            context: context.clone(),
            store: store.clone(),
            inside,
            tokens: OnceCell::new(),
        }
    }

    /// The token of an instance, and the path of its keys. Nothing while the secrets do not open.
    pub(super) async fn shown_to(&self, instance: &Instance) -> Option<(String, String)> {
        let namespace = namespace_of(&instance.owner)?;
        match self.tokens().await {
            Ok(tokens) => {
                let token = tokens.of_instance(instance.id);
                Some((token.expose_text()?.to_owned(), format!("/v1/kv/{namespace}")))
            }
            Err(fault) => {
                tracing::debug!(reason = with_causes(&fault), "an instance is shown no token");
                None
            }
        }
    }

    async fn tokens(&self) -> Result<&InstanceTokens, SecretsError> {
        let open = || async {
            let file = KeyFile::at(&self.context.settings.get().secrets.key_file);
            let now = self.context.clock.now();
            InstanceTokens::of(&Room::open(self.store.sealed(), file, now).await?, now).await
        };
        self.tokens.get_or_try_init(open).await
    }

    /// The caller that an instance is: one with these keys and no other, whatever it asks for.
    async fn caller(&self, source: &Source, (id, path): (InstanceId, &str)) -> Result<(Caller, Owner), Response> {
        let found = self.store.instance(id).await.map_err(|fault| unavailable(&fault))?;
        let owner = found.map(|view| view.instance.owner);
        let scope = owner.as_ref().and_then(|owner| scope_of(owner, path));
        let (Some(owner), Some(scope)) = (owner, scope) else {
            return Err(refused(
                "This instance has no keys: it belongs to no service and no client.\n",
            ));
        };
        let granted = Granted {
            caller: format!("instance {id}"),
            role: Role::Operator,
            scope,
            until: None,
            removed: CancellationToken::new(),
        };
        let caller = Caller {
            peer: Peer::Host(source.address.into()),
            user: None,
            role: Role::Operator,
            granted: Some(granted.into()),
        };
        Ok((caller, owner))
    }
}

#[async_trait]
impl Reach for InstanceReach {
    async fn ask(&self, source: &Source, facts: &InstanceFacts, request: &Request) -> Response {
        let tokens = match self.tokens().await {
            Ok(tokens) => tokens,
            Err(fault) => return unavailable(&fault),
        };
        let token = request
            .authorization
            .as_deref()
            .and_then(|text| text.strip_prefix("Bearer "));
        // The token alone is not enough, and neither is the address, from which any program inside may ask.
        if token.and_then(|token| tokens.verify(token.trim())) != Some(facts.id) {
            let body = "Send the token of this instance: curl -H \"Authorization: Bearer \
                        $(curl -s http://[…]/v1/instance/token)\".\n";
            return Response::text(StatusCode::UNAUTHORIZED, body).with("WWW-Authenticate", "Bearer");
        }
        let query = match translate(&request.query, facts.id) {
            Ok(query) => query,
            Err(name) => {
                let body = format!(
                    "There is no parameter {name:?} here. There are {}.\n",
                    PARAMETERS.join(", ")
                );
                return Response::text(StatusCode::BAD_REQUEST, body);
            }
        };
        let (caller, owner) = match self.caller(source, (facts.id, &request.path)).await {
            Ok(found) => found,
            Err(response) => return response,
        };
        let query = match (&owner, request.path.as_str()) {
            (Owner::Service(name), SERVICES) => match own_service(&query, name) {
                Some(query) => query,
                None => return refused("An instance is shown its own service alone. Leave `service` out.\n"),
            },
            _ => query,
        };
        let target = match query.is_empty() {
            true => request.path.clone(),
            false => format!("{}?{query}", request.path),
        };
        let method = request.method.as_str();
        let answer = self.inside.ask(&caller, method, &target, request.body.to_vec()).await;
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let Ok(body) = String::from_utf8(answer.body.to_vec()) else {
            let body = "The value is no text. Leave `raw` out, and read `base64`.\n";
            return Response::text(StatusCode::NOT_ACCEPTABLE, body);
        };
        let kind = match answer.media_type.as_str() {
            "application/json" => "application/json",
            "application/problem+json" => "application/problem+json",
            _ => "text/plain; charset=utf-8",
        };
        Response::new(status, kind, body)
    }
}

/// The namespace of an owner's keys.
fn namespace_of(owner: &Owner) -> Option<String> {
    match owner {
        Owner::Service(name) => Some(name.clone()),
        Owner::Client(id) => Some(KvPath::namespace_of_client(*id)),
        Owner::Pool(_) | Owner::Operator(_) => None,
    }
}

/// What instances of an owner may at this path: read and write its keys, and if it is a service read of services.
fn scope_of(owner: &Owner, path: &str) -> Option<Scope> {
    let keys = format!("/v1/kv/{}", namespace_of(owner)?);
    let mut entries = vec![keys];
    if let Owner::Service(name) = owner {
        entries.extend([format!("GET /v1/services/{name}"), "GET /v1/endpoints".to_owned()]);
        // The list, whose query names this service alone; an entry of a scope is also for all that is below.
        if path == SERVICES {
            entries.push(format!("GET {SERVICES}"));
        }
    }
    Scope::parse(entries.iter().map(String::as_str)).ok()
}

/// The query for the API: `bound` means this instance, and waits are short.
///
/// # Errors
///
/// The name of a parameter that is not for instances.
fn translate(query: &str, id: InstanceId) -> Result<String, String> {
    let mut translated = Vec::new();
    let mut blocks = false;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap_or_default();
        match name {
            "bound" => translated.push(format!("instance={id}")),
            // How long it asks for does not matter: it asks again.
            "wait" => {}
            name if PARAMETERS.contains(&name) => {
                blocks |= name == "index";
                translated.push(pair.to_owned());
            }
            name => return Err(name.chars().take(40).collect()),
        }
    }
    if blocks {
        translated.push(format!("wait={LONGEST_WAIT}"));
    }
    Ok(translated.join("&"))
}

/// The query of a list of services, for this service alone. `None` when it asks for another one.
fn own_service(query: &str, name: &str) -> Option<String> {
    let own = format!("service={name}");
    let (asked, mut rest): (Vec<&str>, Vec<&str>) = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .partition(|pair| pair.split('=').next() == Some("service"));
    if asked.iter().any(|pair| *pair != own) {
        return None;
    }
    rest.push(&own);
    Some(rest.join("&"))
}

fn refused(body: &str) -> Response {
    Response::text(StatusCode::FORBIDDEN, body)
}

fn unavailable(fault: &(dyn std::error::Error + 'static)) -> Response {
    tracing::debug!(reason = with_causes(fault), "an instance could not reach the API");
    let body = "It cannot be read at the moment. Try again in a few seconds.\n";
    Response::text(StatusCode::SERVICE_UNAVAILABLE, body).with("Retry-After", "5")
}

#[cfg(test)]
mod tests {
    use orchestrator_model::Id;

    use super::*;

    #[test]
    fn an_instance_binds_keys_to_itself_alone_and_waits_for_short() {
        let id = Id::from_bytes([1; 6]);
        let translated = |query| translate(query, id);
        assert_eq!(translated("").as_deref(), Ok(""));
        assert_eq!(translated("cas=0&bound").as_deref(), Ok("cas=0&instance=010101010101"));
        assert_eq!(
            translated("recurse&index=7&wait=10m").as_deref(),
            Ok("recurse&index=7&wait=10s")
        );
        for query in ["instance=020202020202", "lease=br0/fd39::1", "cas=0&link=br0"] {
            assert!(translated(query).is_err(), "{query}");
        }
    }

    #[test]
    fn an_instance_may_what_its_owner_may() {
        let scope = |owner| scope_of(&owner, "/v1/kv/web").unwrap();
        let service = scope(Owner::Service("web".to_owned()));
        let client = scope(Owner::Client(Id::from_bytes([1; 6])));
        for (method, path) in [
            ("PUT", "/v1/kv/web/a"),
            ("GET", "/v1/services/web"),
            ("GET", "/v1/endpoints"),
        ] {
            assert!(
                service.allows(method, path) && !client.allows(method, path),
                "{method} {path}"
            );
        }
        for (method, path) in [
            ("PUT", "/v1/kv/webmail/a"),
            ("PUT", "/v1/services/web"),
            ("GET", "/v1/services"),
            ("GET", "/v1/services/mail"),
            ("GET", "/v1/instances"),
            ("GET", "/v1/kv/client:010101010101/a"),
            ("GET", "/v1/kv"),
        ] {
            assert!(!service.allows(method, path), "{method} {path}");
        }
        assert!(client.allows("DELETE", "/v1/kv/client:010101010101/a"));
        assert!(!client.allows("GET", "/v1/kv/client:020202020202/a"));
        assert!(scope_of(&Owner::Operator("alice".to_owned()), "/v1/kv/web").is_none());
    }

    #[test]
    fn an_instance_is_shown_its_own_service_alone() {
        let of = |owner: Owner, path| scope_of(&owner, path).unwrap().allows("GET", SERVICES);
        assert!(of(Owner::Service("web".to_owned()), SERVICES));
        assert!(!of(Owner::Service("web".to_owned()), "/v1/services/mail"));
        assert!(!of(Owner::Client(Id::from_bytes([1; 6])), SERVICES));
        let own = |query| own_service(query, "web");
        assert_eq!(own("").as_deref(), Some("service=web"));
        assert_eq!(own("index=7&wait=10s").as_deref(), Some("index=7&wait=10s&service=web"));
        assert_eq!(own("service=web&index=7").as_deref(), Some("index=7&service=web"));
        for query in [
            "service=mail",
            "service",
            "service=web&service=mail",
            "service=we%62",
            "service=webmail",
        ] {
            assert_eq!(own(query), None, "{query}");
        }
    }
}
