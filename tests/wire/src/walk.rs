//! Options one after the other, as they are in the bytes: code, length, body (RFC 9915, section 21.1).

/// The last option ends behind the bytes that hold it, or less than a header is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut;

/// Goes through options without an allocation. After a [`Cut`] it ends.
#[derive(Debug, Clone)]
pub struct Walk<'a>(&'a [u8]);

/// Goes through options.
#[inline]
pub fn walk(options: &[u8]) -> Walk<'_> {
    Walk(options)
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<(u16, &'a [u8]), Cut>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Some((&[c0, c1, l0, l1], rest)) = self.0.split_first_chunk() else {
            self.0 = &[];
            return Some(Err(Cut));
        };
        let Some((body, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1]))) else {
            self.0 = &[];
            return Some(Err(Cut));
        };
        self.0 = rest;
        Some(Ok((u16::from_be_bytes([c0, c1]), body)))
    }
}

/// Reads all options of bytes that a client or a relay may have sent: up to three zeros behind the last are padding.
///
/// # Panics
///
/// When an option ends behind the bytes.
pub fn options(bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut walk = walk(bytes);
    let mut options = Vec::new();
    while walk.0.len() > 3 || walk.0.iter().any(|byte| *byte != 0) {
        match walk.next() {
            Some(Ok(option)) => options.push(option),
            _ => panic!("an option ends behind the bytes that hold it: {bytes:?}"),
        }
    }
    options
}

/// The body of an option that comes once at most.
///
/// # Panics
///
/// When it comes twice.
pub fn only<'a>(options: &[(u16, &'a [u8])], code: u16) -> Option<&'a [u8]> {
    let mut with = options.iter().filter(|option| option.0 == code);
    let first = with.next().map(|option| option.1);
    assert!(with.next().is_none(), "option {code} comes twice");
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::option;

    #[test]
    fn what_is_cut_off_is_an_error_and_the_end() {
        let whole = [option(1, b"ab"), option(9, &[])].concat();
        assert_eq!(
            walk(&whole).collect::<Vec<_>>(),
            [Ok((1, &b"ab"[..])), Ok((9, &b""[..]))]
        );
        assert_eq!(
            walk(&whole[..whole.len() - 1]).collect::<Vec<_>>(),
            [Ok((1, &b"ab"[..])), Err(Cut)]
        );
        assert_eq!(walk(&whole[..5]).collect::<Vec<_>>(), [Err(Cut)]);
    }

    #[test]
    fn padding_is_passed_over() {
        let padded = |zeros: usize| [option(1, b"ab"), vec![0; zeros]].concat();
        for zeros in 0..4 {
            assert_eq!(options(&padded(zeros)), [(1, &b"ab"[..])]);
        }
        // Four are an option of code 0.
        assert_eq!(options(&padded(4)).len(), 2);
    }
}
