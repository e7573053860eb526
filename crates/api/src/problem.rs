//! Problems: errors of requests, as `application/problem+json` (RFC 9457).
//!
//! Programs distinguish problems by `code`. `detail` is for people, and says what to do.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use orchestrator_api_types::Problem;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::ControlError;
use orchestrator_model::AuthorizedKeyError;
use orchestrator_model::{Instance, InstanceId};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_secrets::{Denied, SecretsError};
use orchestrator_settings::Faults;
use orchestrator_store::StoreError;

const CONTENT_TYPE: &str = "application/problem+json";

/// The date of an answer (RFC 9110, section 5.6.7).
const DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// The problem of a response. It is attached to the response to be counted and logged.
#[derive(Debug, Clone)]
pub(super) struct SentProblem {
    code: &'static str,
    /// The text for the log; `None` when only the client made a mistake.
    detail: Option<String>,
}

impl SentProblem {
    /// Counts the problem, and logs it if the daemon is at fault. Log lines are rate-limited, because a stranger can
    /// cause the same problem without end.
    pub(super) fn record(&self, metrics: &Metrics) {
        metrics.api_refused(self.code);
        let Some(detail) = &self.detail else { return };
        if let Some(held_back) = metrics.log_limit().admit(self.code) {
            tracing::warn!(code = self.code, detail, held_back, "the API could not answer");
        }
    }
}

/// A problem to be sent.
#[derive(Debug)]
pub(super) struct Fault {
    status: StatusCode,
    code: &'static str,
    detail: String,
    candidates: Vec<InstanceId>,
    faults: Vec<String>,
}

impl Fault {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            candidates: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// A problem with several faults.
    pub(super) fn of_faults(code: &'static str, detail: &str, faults: &Faults) -> Self {
        Self {
            faults: faults.iter().map(ToString::to_string).collect(),
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
        }
    }

    /// The problem of an unknown path.
    pub(super) fn not_found(path: &str) -> Self {
        let detail =
            format!("there is nothing at {path:?}; the API is described in the README, its paths begin with /v1");
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// The problem of a parameter that cannot be parsed.
    pub(super) fn bad_parameter(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-parameter", detail)
    }

    /// The problem of a duration that cannot be parsed, or is out of bounds.
    pub(super) fn bad_duration(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-duration", detail)
    }

    /// The problem of a command that cannot be run as it was sent.
    pub(super) fn bad_exec(detail: impl std::fmt::Display) -> Self {
        let detail = format!("the body is not a command to run: {detail}");
        Self::new(StatusCode::BAD_REQUEST, "bad-body", detail)
    }

    /// The problem of a body that has no line to run.
    pub(super) fn bad_line(detail: impl std::fmt::Display) -> Self {
        let detail = format!("the body is not a line with its files: {detail}");
        Self::new(StatusCode::BAD_REQUEST, "bad-body", detail)
    }

    /// The problem while the database is not connected yet.
    pub(super) fn store_missing() -> Self {
        let detail = "the daemon still waits for its database; GET /v1/ready says why";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store-away", detail)
    }

    /// The problem of an unknown id.
    pub(super) fn no_such(noun: &str, code: &'static str, id: &str) -> Self {
        let detail = format!("there is no {noun} {id:?}; GET /v1/{noun}s lists those there are");
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// The problem of an instance that is gone: its client cannot be reached through it, and may have another one.
    pub(super) fn instance_gone(gone: &Instance, present: Option<InstanceId>) -> Self {
        let now = match present {
            Some(present) => format!("its client has instance {present} now; name that one to free the lease"),
            None => "its client has no instance now".to_owned(),
        };
        let detail = format!(
            "instance {} was removed at {}, and no lease was freed: {now}",
            gone.id, gone.changed
        );
        Self {
            candidates: present.into_iter().collect(),
            ..Self::new(StatusCode::CONFLICT, "instance-gone", detail)
        }
    }

    /// The problem of a text with which several ids begin.
    pub(super) fn ambiguous(id: &str, candidates: Vec<InstanceId>) -> Self {
        let detail = format!("several instances have an id that begins with {id:?}; give more of it");
        Self {
            candidates,
            ..Self::new(StatusCode::CONFLICT, "ambiguous-id", detail)
        }
    }
}

impl Fault {
    /// The stable word for the problem.
    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    /// The problem as it is sent.
    pub(super) fn into_problem(self) -> Problem {
        Problem {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Problem").to_owned(),
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            detail: self.detail,
            candidates: self.candidates,
            faults: self.faults,
        }
    }

    /// The complete HTTP message, for a connection that ends with it.
    pub(super) fn into_message(self) -> Vec<u8> {
        let problem = self.into_problem();
        // Text and numbers, of which JSON can be made.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let date = OffsetDateTime::now_utc().format(DATE).unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {} {}\r\ncontent-type: {CONTENT_TYPE}\r\ncache-control: no-store\r\n\
             x-content-type-options: nosniff\r\ncontent-length: {}\r\nconnection: close\r\ndate: {date}\r\n\r\n",
            problem.status,
            problem.title,
            body.len()
        );
        [head.into_bytes(), body].concat()
    }
}

impl From<AuthorizedKeyError> for Fault {
    fn from(error: AuthorizedKeyError) -> Self {
        let status = match &error {
            AuthorizedKeyError::NoKey { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            AuthorizedKeyError::NoSuchKey(_) => StatusCode::NOT_FOUND,
            AuthorizedKeyError::TooMany { .. } => StatusCode::CONFLICT,
        };
        Self::new(status, error.code(), error.to_string())
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        if let StoreError::Keys(why) = error {
            return why.into();
        }
        let status = match &error {
            StoreError::Away { .. } | StoreError::Lost(_) | StoreError::Damaged { .. } | StoreError::Deposed { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            StoreError::BadCursor(_) => StatusCode::BAD_REQUEST,
            StoreError::NoSuchClient(_)
            | StoreError::NoSuchInstance(_)
            | StoreError::NoSuchReservation(_)
            | StoreError::NoSuchVolume(_)
            | StoreError::NoSuchTemplate(_)
            | StoreError::NoSuchService(_)
            | StoreError::NoSuchToken(_) => StatusCode::NOT_FOUND,
            StoreError::AlreadyThere { .. }
            | StoreError::NotPending(_)
            | StoreError::Time { .. }
            | StoreError::AddressTaken { .. }
            | StoreError::VolumeHeld { .. }
            | StoreError::VolumeTaken(_)
            | StoreError::Reserved(_)
            | StoreError::TooManyReservations
            | StoreError::TemplateExists(_)
            | StoreError::TemplateChanged { .. }
            | StoreError::TooManyTemplates
            | StoreError::ServiceChanged { .. }
            | StoreError::Taken(_)
            | StoreError::ServiceRemoving(_)
            | StoreError::PerClientService(_)
            | StoreError::TooManyServices
            | StoreError::TokenExists(_)
            | StoreError::TooManyTokens
            | StoreError::KvChanged { .. }
            | StoreError::KvFull { .. }
            | StoreError::KvOwnerGone(_) => StatusCode::CONFLICT,
            StoreError::KvTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.code(), with_causes(&error))
    }
}

impl From<SecretsError> for Fault {
    fn from(error: SecretsError) -> Self {
        match error {
            SecretsError::Store(fault) => fault.into(),
            SecretsError::BadTokenName(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-name", error.to_string()),
            error => Self::new(StatusCode::SERVICE_UNAVAILABLE, "secrets-closed", with_causes(&error)),
        }
    }
}

impl From<Denied> for Fault {
    /// 401, unless the caller is to try again later.
    fn from(denied: Denied) -> Self {
        let status = match denied.is_passing() {
            true => StatusCode::SERVICE_UNAVAILABLE,
            false => StatusCode::UNAUTHORIZED,
        };
        Self::new(status, denied.code(), denied.to_string())
    }
}

impl From<ControlError> for Fault {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Settings(faults) => Self::of_faults(
                "settings-wrong",
                "the settings are wrong, and nothing was changed; mend what `faults` names and reload again",
                &faults,
            ),
            ControlError::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", error.to_string()),
            ControlError::Starting => Self::new(StatusCode::SERVICE_UNAVAILABLE, "starting", error.to_string()),
            ControlError::Refused { reason } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", reason),
            ControlError::NoSuchEngine { .. } => Self::new(StatusCode::NOT_FOUND, "no-such-engine", error.to_string()),
            ControlError::Engine { code, reason } => Self::new(engine_status(code), code, reason),
            ControlError::Secrets { reason } => Self::new(StatusCode::SERVICE_UNAVAILABLE, "secrets-closed", reason),
            ControlError::Conflict { reason } => Self::new(StatusCode::CONFLICT, "already-reserved", reason),
            ControlError::NotReconfigured(refusal) => refusal.into(),
            ControlError::InstanceGone { gone, present } => Self::instance_gone(&gone, present),
            ControlError::Store(error) => error.into(),
        }
    }
}

/// The status of an engine's failure.
fn engine_status(code: &str) -> StatusCode {
    match code {
        "image-missing" => StatusCode::NOT_FOUND,
        "not-running" => StatusCode::CONFLICT,
        "engine-refused" | "engine-unsupported" => StatusCode::UNPROCESSABLE_ENTITY,
        "engine-unavailable" | "engine-busy" => StatusCode::SERVICE_UNAVAILABLE,
        "engine-timeout" => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let sent = SentProblem {
            code: self.code,
            detail: self.status.is_server_error().then(|| self.detail.clone()),
        };
        let status = self.status;
        let mut response = (status, axum::Json(self.into_problem())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer, HMAC"));
        }
        response.extensions_mut().insert(sent);
        response
    }
}
