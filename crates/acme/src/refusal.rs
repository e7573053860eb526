//! Turns errors of the library, and of an authority, into refusals: each says whether its order goes on.

use instant_acme::{Error, Problem};
use orchestrator_runtime::causes::with_causes;

use crate::authority::{Reach, Refusal, in_one_line};
use crate::http::Unanswered;

/// The kinds of errors begin with this (RFC 8555, section 6.7).
const ERROR: &str = "urn:ietf:params:acme:error:";
/// The authority does not know the account any more.
const NO_ACCOUNT: &str = "accountDoesNotExist";
const TOO_MANY: &str = "rateLimited";
/// What may pass by itself.
const PASSING: [&str; 5] = [TOO_MANY, "serverInternal", "badNonce", "orderNotReady", NO_ACCOUNT];
/// What the authority has against the account. No order would succeed, and none is at fault.
const OF_ACCOUNT: [&str; 5] = [
    "externalAccountRequired",
    "invalidContact",
    "unauthorized",
    "unsupportedContact",
    "userActionRequired",
];

/// What an error of the library means.
pub(crate) fn refusal(fault: &Error) -> Refusal {
    match fault {
        Error::Api(problem) => {
            let reason = format!("the authority says: {}", words(problem));
            match () {
                () if is_of_account(problem) => Refusal::passing(reason).of_all(),
                () if is_passing(problem) => Refusal::passing(reason),
                () => Refusal::over(reason),
            }
        }
        Error::Other(cause) => {
            let reason = in_one_line(&format!("no answer of the authority: {}", with_causes(fault)));
            let is_of_all = cause.downcast_ref::<Unanswered>().is_some_and(|fault| fault.is_of_all);
            Refusal {
                reach: if is_of_all { Reach::All } else { Reach::One },
                ..Refusal::passing(reason)
            }
        }
        other => {
            let text = format!("the answer of the authority makes no sense: {}", with_causes(other));
            Refusal::passing(in_one_line(&text))
        }
    }
}

/// Whether the authority does not know the account.
pub(crate) fn is_without_account(fault: &Error) -> bool {
    matches!(fault, Error::Api(problem) if kind(problem) == Some(NO_ACCOUNT))
}

/// Whether a limit of the authority is reached.
pub(crate) fn is_too_many(fault: &Error) -> bool {
    matches!(fault, Error::Api(problem) if kind(problem) == Some(TOO_MANY))
}

/// Whether the authority does not know what it is asked about.
pub(crate) fn is_gone(fault: &Error) -> bool {
    matches!(fault, Error::Api(problem) if problem.status == Some(404) && !is_without_account(fault))
}

/// The text of an error, with its kind.
pub(crate) fn words(problem: &Problem) -> String {
    let mut text = problem.detail.clone().unwrap_or_default();
    for part in &problem.subproblems {
        text += &format!("; {part}");
    }
    if let Some(kind) = &problem.r#type {
        text += &format!(" ({})", kind.strip_prefix(ERROR).unwrap_or(kind));
    }
    in_one_line(&text)
}

/// The kind of an error, without what all have in front.
fn kind(problem: &Problem) -> Option<&str> {
    problem.r#type.as_deref()?.strip_prefix(ERROR)
}

fn is_of_account(problem: &Problem) -> bool {
    kind(problem).is_some_and(|kind| OF_ACCOUNT.contains(&kind))
}

/// Whether the same may succeed later.
pub(crate) fn is_passing(problem: &Problem) -> bool {
    let is_of_server = problem.status.is_some_and(|status| status == 429 || status >= 500);
    is_of_server || kind(problem).is_some_and(|kind| PASSING.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str, status: u16) -> Problem {
        Problem {
            r#type: Some(format!("{ERROR}{kind}")),
            detail: Some("too many\r\nof them".to_owned()),
            status: Some(status),
            subproblems: Vec::new(),
        }
    }

    #[test]
    fn limits_and_faults_of_the_server_pass_and_refusals_do_not() {
        let passes = |kind, status| refusal(&Error::Api(problem(kind, status))).is_passing;
        assert!(passes("rateLimited", 429) && passes("serverInternal", 500) && passes("orderNotReady", 403));
        assert!(passes(NO_ACCOUNT, 400));
        assert!(!passes("rejectedIdentifier", 400) && !passes("malformed", 404));
    }

    #[test]
    fn what_concerns_the_account_concerns_all_and_ends_no_order() {
        for kind in OF_ACCOUNT {
            let found = refusal(&Error::Api(problem(kind, 403)));
            assert_eq!((found.is_passing, found.reach), (true, Reach::All), "{kind}");
        }
        let found = refusal(&Error::Api(problem("rejectedIdentifier", 400)));
        assert_eq!(found.reach, Reach::One);
    }

    #[test]
    fn what_an_authority_says_is_one_line_with_its_kind() {
        assert_eq!(words(&problem("rateLimited", 429)), "too many of them (rateLimited)");
    }
}
