//! What no client should send: lengths that are wrong, and options nested deep.

use crate::option;

/// An option that claims another length than its body has.
pub fn option_claiming(code: u16, length: u16, body: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), &length.to_be_bytes(), body].concat()
}

/// The first three of the four bytes before an option's body.
pub fn cut_head(code: u16) -> Vec<u8> {
    option_claiming(code, 0, &[])[..3].to_vec()
}

/// Options inside one another so many times, each with `head` before the next one.
///
/// # Panics
///
/// When the outermost would be longer than 65,535 bytes.
pub fn nested(code: u16, head: &[u8], depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| option(code, &[head, &inner].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cut, walk};

    #[test]
    fn wrong_lengths_are_noticed() {
        for spoilt in [cut_head(99), option_claiming(99, 200, &[1])] {
            assert_eq!(walk(&spoilt).collect::<Vec<_>>(), [Err(Cut)]);
        }
    }

    #[test]
    fn nested_options_are_as_deep_as_was_said() {
        assert_eq!(nested(4, &[9], 2), [0, 4, 0, 6, 9, 0, 4, 0, 1, 9]);
        assert_eq!(nested(4, &[9], 0), []);
    }
}
