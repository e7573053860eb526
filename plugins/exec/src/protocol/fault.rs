//! Errors of an executable.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why an executable could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// What kind of error it is: one of the numbers below, or from 100 on one of the executable's own.
    ///
    /// 1: it does not speak this version of the protocol. 3: there is no such container, or it does not run. 4: the image is
    /// not there. 6: the request cannot be read. 7: it will never do this as it was asked; the template must change. 11: try
    /// again later. 12: what it drives does not answer; the container is not at fault.
    pub code: u32,
    /// One sentence for people: what failed, why, and what to do about it.
    pub message: String,
}

/// The numbers that mean something to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// It does not speak this version of the protocol.
    Protocol,
    /// There is no such container, or it does not run.
    NotRunning,
    /// The image is not there.
    ImageMissing,
    /// The request cannot be read.
    Unreadable,
    /// It will never do this as it was asked: the template must change.
    Refused,
    /// Trying again later may help.
    TryAgain,
    /// What it drives does not answer.
    Unavailable,
    /// Anything else.
    Other,
}

impl Code {
    /// The code as a number. Others than the named ones are 100.
    pub fn number(self) -> u32 {
        match self {
            Self::Protocol => 1,
            Self::NotRunning => 3,
            Self::ImageMissing => 4,
            Self::Unreadable => 6,
            Self::Refused => 7,
            Self::TryAgain => 11,
            Self::Unavailable => 12,
            Self::Other => 100,
        }
    }

    /// The meaning of a number.
    pub fn of(number: u32) -> Self {
        let named = [
            Self::Protocol,
            Self::NotRunning,
            Self::ImageMissing,
            Self::Unreadable,
            Self::Refused,
            Self::TryAgain,
            Self::Unavailable,
        ];
        named
            .into_iter()
            .find(|code| code.number() == number)
            .unwrap_or(Self::Other)
    }
}

impl Fault {
    /// An error of this kind.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code: code.number(),
            message: message.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_number_of_its_own_and_strange_ones_are_other() {
        for number in 0..200 {
            let code = Code::of(number);
            assert!(code == Code::Other || code.number() == number);
        }
        assert_eq!(Code::of(11), Code::TryAgain);
        assert_eq!(Code::of(117), Code::Other);
    }
}
