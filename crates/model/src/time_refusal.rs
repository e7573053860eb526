//! Why a change of the times of an instance is refused.

/// Why a change of times is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeRefusal {
    /// It is being removed, or is gone.
    #[error("it is being removed, or is gone")]
    Gone,
    /// It is pinned.
    #[error("it is pinned; unpin it first")]
    Pinned,
    /// No time ends it.
    #[error(
        "it has no lifetime and no idle limit, so that there is nothing to extend; pin it to keep it beyond its lease"
    )]
    NoDeadline,
    /// Its template does not let its client extend its time.
    #[error("its template does not let its client extend its time")]
    NotAllowed,
    /// Its client extended its time as often as its template allows.
    #[error("its client extended its time as often as its template allows")]
    TooOften,
    /// Its client's lease ended, or it is stopped already.
    #[error("its client's lease or its time ended, so that it does not run for long; wait until its client comes back")]
    NotRunning,
    /// It is switched off.
    #[error("it is switched off; switch it on")]
    SwitchedOff,
    /// The deadline moved meanwhile.
    #[error("its deadline is another one by now")]
    Outdated,
}

impl TimeRefusal {
    /// A stable word for the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Gone => "instance-gone",
            Self::Pinned => "instance-pinned",
            Self::NoDeadline => "no-deadline",
            Self::NotAllowed => "extension-not-allowed",
            Self::TooOften => "extended-too-often",
            Self::NotRunning => "instance-not-running",
            Self::SwitchedOff => "instance-switched-off",
            Self::Outdated => "deadline-changed",
        }
    }
}
