//! Pebble, a certificate authority that speaks ACME, for tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use crate::{Namespace, Program, SelfSigned};

/// How long Pebble may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Where it listens.
const LISTEN: &str = "[::1]:14000";
const MANAGEMENT: &str = "[::1]:15000";

/// A running Pebble. Killed when dropped. Another one knows nothing of it, and has other keys.
pub struct Pebble {
    namespace: Namespace,
    place: PathBuf,
    program: Program,
}

impl Pebble {
    /// The URL of its directory.
    pub const DIRECTORY: &str = "https://[::1]:14000/dir";

    /// Makes the certificate of the directory in a file, which is also what it is trusted by. The key is beside it.
    ///
    /// # Errors
    ///
    /// When openssl is missing or fails.
    pub fn make_certificate(namespace: &Namespace, file: &Path) -> Result<()> {
        let certificate = SelfSigned {
            certificate: file,
            key: &key_of(file),
            alternative: "IP:::1",
            extensions: &["basicConstraints=critical,CA:FALSE"],
        };
        certificate.make(namespace.command("openssl"))
    }

    /// Starts it with the certificate of [`Pebble::make_certificate`]. It asks `dns` for names, checks them on port 80,
    /// and issues for so many seconds.
    ///
    /// # Errors
    ///
    /// When it does not start; with the end of its log.
    pub fn start(namespace: &Namespace, file: &Path, dns: &str, validity: u64) -> Result<Self> {
        let place = namespace.lab().place("pebble")?;
        let settings = json!({ "pebble": {
            "listenAddress": LISTEN,
            "managementListenAddress": MANAGEMENT,
            "certificate": file,
            "privateKey": key_of(file),
            "httpPort": 80,
            "tlsPort": 443,
            "certificateValidityPeriod": validity,
        } });
        let config = place.join("pebble.json");
        fs::write(&config, settings.to_string())?;
        let mut command = namespace.command("pebble");
        command.arg("-config").arg(&config).args(["-dnsserver", dns]);
        command.env("PEBBLE_VA_NOSLEEP", "1");
        let mut program = Program::start(command, &place.join("pebble.log"))?;
        let ask = || {
            namespace.run(
                "curl",
                &[
                    "-sf",
                    "-m",
                    "5",
                    "--cacert",
                    &file.display().to_string(),
                    Self::DIRECTORY,
                ],
            )
        };
        program.poll("pebble to answer", PATIENCE, || ask().ok())?;
        Ok(Self {
            namespace: namespace.clone(),
            place,
            program,
        })
    }

    /// A file with the certificate that its chains end in.
    ///
    /// # Errors
    ///
    /// When it does not say.
    pub fn root(&self) -> Result<PathBuf> {
        let url = format!("https://{MANAGEMENT}/roots/0");
        let root = self.namespace.run("curl", &["-sfk", "-m", "5", &url])?;
        let file = self.place.join("root.pem");
        fs::write(&file, root)?;
        Ok(file)
    }

    /// How many orders were placed.
    pub fn orders(&self) -> usize {
        self.program.log().matches("/order-plz -> calling handler()").count()
    }
}

fn key_of(file: &Path) -> PathBuf {
    file.with_extension("key")
}
