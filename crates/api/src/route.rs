//! One route. It is declared once, and served and documented from that declaration.

use axum::handler::Handler;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use serde_json::{Map, Value, json};

use super::describe::{Described, Operation, Schemas};
use super::gate;
use super::role::Role;
use super::routes::Shared;

/// The method of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Verb {
    /// How the router names it.
    pub(super) fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Delete => MethodFilter::DELETE,
        }
    }

    /// How the document names it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Delete => "delete",
        }
    }
}

/// A route: its path, the role that it needs, and its handler.
pub(super) struct Route {
    pub(super) verb: Verb,
    pub(super) path: &'static str,
    pub(super) role: Role,
    /// Whether the route exists on unix sockets only.
    pub(super) unix_only: bool,
    pub(super) handler: MethodRouter<Shared>,
    summary: &'static str,
    details: &'static str,
    problems: Vec<(StatusCode, &'static str)>,
    describe: fn(&mut Operation, &mut Schemas),
}

impl Route {
    /// A route for callers of this role or a higher one.
    pub(super) fn new<H, T, I, O>(verb: Verb, path: &'static str, role: Role, handler: H) -> Self
    where
        H: Handler<T, Shared> + Described<I, O>,
        T: 'static,
    {
        let gate = from_fn_with_state(role, gate::require);
        Self {
            verb,
            path,
            role,
            unix_only: false,
            handler: on(verb.filter(), handler.layer(gate)),
            summary: "",
            details: "",
            problems: Vec::new(),
            describe: H::describe,
        }
    }

    /// Sets the summary: one sentence, without a full stop.
    pub(super) fn says(self, summary: &'static str) -> Self {
        Self { summary, ..self }
    }

    /// Sets the description, with further details.
    pub(super) fn details(self, details: &'static str) -> Self {
        Self { details, ..self }
    }

    /// Adds the problems that its handler answers, besides those of its input.
    pub(super) fn fails(mut self, problems: &[(StatusCode, &'static str)]) -> Self {
        self.problems.extend_from_slice(problems);
        self
    }

    /// Refuses the route on TCP, where the peer's user is not known.
    pub(super) fn on_unix_sockets_only(self) -> Self {
        Self {
            unix_only: true,
            ..self
        }
    }

    /// Its path in the document, where a path within a path looks like any other parameter.
    pub(super) fn document_path(&self) -> String {
        self.path.replace("{*", "{")
    }

    /// Its operation in the document.
    pub(super) fn document(&self, schemas: &mut Schemas) -> Map<String, Value> {
        let mut operation = Operation::default();
        (self.describe)(&mut operation, schemas);
        for (status, code) in &self.problems {
            operation.fails(*status, code);
        }
        operation.fails(StatusCode::FORBIDDEN, "not-allowed");
        operation.fails(StatusCode::FORBIDDEN, "out-of-scope");
        if self.unix_only {
            operation.fails(StatusCode::FORBIDDEN, "unix-socket-only");
        }
        let problem = json!({ "$ref": "#/components/schemas/Problem" });
        let mut document = operation.into_document(&problem);
        document.insert("summary".to_owned(), self.summary.into());
        document.insert("description".to_owned(), self.description().into());
        document.insert("operationId".to_owned(), self.id().into());
        document.insert("tags".to_owned(), json!([self.noun()]));
        document.insert("x-role".to_owned(), self.role.word().into());
        document
    }

    fn description(&self) -> String {
        let who = match (self.role, self.unix_only) {
            (role, false) => format!("Needs the role `{role}`."),
            (role, true) => format!("Needs the role `{role}`, on a unix socket."),
        };
        match self.details {
            "" => who,
            details => format!("{details}\n\n{who}"),
        }
    }

    /// The operation's id: `get-v1-clients-id`.
    fn id(&self) -> String {
        let words = self
            .path
            .split(['/', '{', '}', '.', '*'])
            .filter(|word| !word.is_empty());
        std::iter::once(self.verb.word())
            .chain(words)
            .collect::<Vec<_>>()
            .join("-")
    }

    fn noun(&self) -> &'static str {
        self.path
            .trim_start_matches("/v1")
            .split('/')
            .nth(1)
            .unwrap_or_default()
    }
}
