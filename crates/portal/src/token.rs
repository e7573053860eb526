//! Tokens of forms: a form that another site made a browser send has none.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::Source;

/// The key of all tokens. With another key, forms that were shown before are refused.
#[derive(Clone)]
pub struct TokenKey([u8; 16]);

impl TokenKey {
    /// A key of random bytes.
    pub const fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// The token in the forms for a source.
    pub(crate) fn token(&self, source: &Source) -> String {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&source.address.octets());
        hasher.write(source.link.as_bytes());
        format!("{:032x}", hasher.finish128().as_u128())
    }

    /// Whether a token is the one for a source. The time that it takes does not depend on where they differ.
    pub(crate) fn fits(&self, source: &Source, given: &str) -> bool {
        let token = self.token(source);
        let differences = token
            .bytes()
            .zip(given.bytes())
            .fold(0, |all, (one, other)| all | (one ^ other));
        token.len() == given.len() && differences == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_its_source_alone() {
        let of = |link: &str, address: &str| Source {
            link: link.to_owned(),
            address: address.parse().unwrap(),
        };
        let key = TokenKey::new([7; 16]);
        let source = of("br0", "fd39::1");
        let token = key.token(&source);
        assert!(key.fits(&source, &token));
        for other in [of("br0", "fd39::2"), of("br1", "fd39::1")] {
            assert!(!key.fits(&other, &token));
        }
        for wrong in ["", &token[1..], &format!("{token}0"), &token.replace(&token[..1], "g")] {
            assert!(!key.fits(&source, wrong), "{wrong}");
        }
        assert!(!TokenKey::new([8; 16]).fits(&source, &token));
    }
}
