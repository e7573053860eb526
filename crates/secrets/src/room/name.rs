//! Names of secrets.

use crate::SecretsError;
use crate::room::WITNESS;

/// The most bytes of a name: that of a row for the longest host name, with room to spare.
const LONGEST: usize = 300;

/// Refuses a name that is not allowed for a secret.
pub(super) fn check_name(name: &str) -> Result<(), SecretsError> {
    let is_letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'/');
    if name.is_empty() || name.len() > LONGEST || name == WITNESS || !name.bytes().all(is_letter) {
        return Err(SecretsError::BadName(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_witness_has_its_name_for_itself() {
        check_name("vpn/server-1.key").unwrap();
        for bad in ["", "seal", "Token", "a b", "ä", &"x".repeat(301)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
