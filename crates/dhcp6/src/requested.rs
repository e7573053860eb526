//! The options that a client asks for (RFC 9915, section 21.7).

/// Codes below this have a bit each. Clients rarely ask for others.
const COMMON: u16 = 256;

/// The codes in an Option Request option. Finding a common code takes the same time, however many codes the option has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requested<'a> {
    common: [u64; 4],
    all: &'a [u8],
}

impl<'a> Requested<'a> {
    /// Reads the body of the option.
    pub(crate) fn read(body: &'a [u8]) -> Self {
        let mut common = [0; 4];
        for code in codes(body).filter(|code| *code < COMMON) {
            common[usize::from(code / 64)] |= 1 << (code % 64);
        }
        Self { common, all: body }
    }

    /// Whether the client asks for an option.
    pub(crate) fn contains(&self, code: impl Into<u16>) -> bool {
        let code = code.into();
        if code < COMMON {
            self.common[usize::from(code / 64)] & 1 << (code % 64) != 0
        } else {
            codes(self.all).any(|asked| asked == code)
        }
    }
}

fn codes(body: &[u8]) -> impl Iterator<Item = u16> {
    body.chunks_exact(2).map(|code| u16::from_be_bytes([code[0], code[1]]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_asked_for_is_found(asked in prop::collection::vec(0u16..400, 0..40), code in 0u16..400) {
            let body: Vec<u8> = asked.iter().flat_map(|code| code.to_be_bytes()).collect();
            prop_assert_eq!(Requested::read(&body).contains(code), asked.contains(&code));
        }
    }
}
