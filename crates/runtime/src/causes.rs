//! Errors as one line for people.

use std::error::Error;

/// The text of an error and of its causes, from the outside in, separated by colons.
///
/// A cause whose text is already a part of the error's text is left out, because libraries disagree on who should
/// include it.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Fault {
        #[error("cannot read it")]
        Silent(#[source] io::Error),
        #[error("cannot read it: {0}")]
        Telling(#[source] io::Error),
    }

    #[test]
    fn a_cause_is_told_once() {
        let gone = || io::Error::new(io::ErrorKind::NotFound, "gone");
        assert_eq!(with_causes(&Fault::Silent(gone())), "cannot read it: gone");
        assert_eq!(with_causes(&Fault::Telling(gone())), "cannot read it: gone");
    }
}
