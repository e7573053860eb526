//! Certificates for tests, which sign themselves.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::namespace::output;

/// A certificate that signs itself, and where it goes.
pub struct SelfSigned<'a> {
    /// The file of the certificate, in PEM.
    pub certificate: &'a Path,
    /// The file of the key, in PEM.
    pub key: &'a Path,
    /// The names and addresses that it is for, as openssl writes them: `DNS:NAME` or `IP:ADDRESS`.
    pub alternative: &'a str,
    /// Further extensions, as openssl writes them.
    pub extensions: &'a [&'a str],
}

impl SelfSigned<'_> {
    /// Makes the certificate and its key anew. It is good for a week. `openssl` is the command without arguments.
    ///
    /// # Errors
    ///
    /// When openssl is missing or fails.
    pub fn make(&self, mut openssl: Command) -> Result<()> {
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ]);
        openssl.args(["-days", "7", "-subj", "/CN=test"]);
        openssl.arg("-keyout").arg(self.key).arg("-out").arg(self.certificate);
        let alternative = format!("subjectAltName={}", self.alternative);
        for extension in [alternative.as_str()].iter().chain(self.extensions) {
            openssl.args(["-addext", extension]);
        }
        output(&mut openssl).map(drop)
    }
}
