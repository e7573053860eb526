//! Keys of certificates that somebody else's authority issues.

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};

use super::x509::fault;
use crate::{Secret, SecretsError};

/// Makes a private key on the curve P-256, in PEM (PKCS #8).
///
/// # Errors
///
/// When the operating system gives no random bytes.
pub fn new_private_key() -> Result<Secret, SecretsError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256);
    let key = key.map_err(|error| fault("make a private key", &error))?;
    Ok(Secret::from(key.serialize_pem()))
}

/// The request to certify this key for a DNS name (RFC 2986), in DER.
///
/// # Errors
///
/// When the key is none of [`new_private_key`], or the name has other characters than ASCII.
pub fn signing_request(key: &Secret, name: &str) -> Result<Vec<u8>, SecretsError> {
    let fault = |error: rcgen::Error| fault("request a certificate", &error);
    let key = KeyPair::from_pem(key.expose_text().unwrap_or_default()).map_err(fault)?;
    let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(fault)?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key).map_err(fault)?;
    Ok(request.der().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_for_the_name_and_its_key_is_another_one_each_time() {
        let (one, other) = (new_private_key().unwrap(), new_private_key().unwrap());
        assert_ne!(one, other);
        let request = signing_request(&one, "web.example").unwrap();
        let name = b"web.example";
        assert!(request.windows(name.len()).any(|part| part == name));
        signing_request(&one, "wüb.example").unwrap_err();
        signing_request(&Secret::from("no key".to_owned()), "web.example").unwrap_err();
    }
}
