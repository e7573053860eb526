//! The files of HAProxy 2.6: its configuration, the maps, the certificates and the list of them.

mod layout;
pub(crate) mod text;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::desired::Desired;
use crate::step::MapName;
pub use layout::{Addresses, Layout, LayoutFault, Statistics};

/// The files of a configuration. They never change: others are another value, with another digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    contents: BTreeMap<String, Vec<u8>>,
    frame: String,
    digest: [u8; 32],
}

impl Files {
    /// Files with these contents, by their paths in the directory of the configuration. `frame` is the digest of the part of
    /// the configuration that cannot change while HAProxy runs.
    pub fn new(contents: BTreeMap<String, Vec<u8>>, frame: String) -> Self {
        let mut digest = Sha256::new();
        for (name, content) in &contents {
            digest.update(name.len().to_le_bytes());
            digest.update(name);
            digest.update(content.len().to_le_bytes());
            digest.update(content);
        }
        Self {
            contents,
            frame,
            digest: digest.finalize().into(),
        }
    }

    /// The content of each file, by its path.
    pub fn contents(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.contents
    }

    /// The digest of the part of the configuration that cannot change while HAProxy runs.
    pub fn frame(&self) -> &str {
        &self.frame
    }

    /// The digest of all paths and contents.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

/// The main file.
pub(crate) const MAIN: &str = "haproxy.cfg";
/// The list of certificates that are shown.
pub(crate) const LIST: &str = "certificates.list";

/// Writes all files. Equal values make equal files.
pub fn write_files(layout: &Layout, desired: &Desired) -> Files {
    let body = text::frame(layout);
    let frame: String = Sha256::digest(body.as_bytes())
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let main = format!("{}{body}{}", text::head(layout, &frame), text::backends(desired));
    let mut files = BTreeMap::from([(MAIN.to_owned(), main.into_bytes())]);
    for map in MapName::ALL {
        let lines = desired.entries(map).into_iter();
        let text: String = lines.map(|(key, value)| format!("{key} {value}\n")).collect();
        files.insert(map.file().to_owned(), text.into_bytes());
    }
    let mut list = String::new();
    for (name, certificate) in &desired.certificates {
        files.insert(name.file(), certificate.pem.as_str().as_bytes().to_vec());
        list += &line(layout, name, certificate);
    }
    files.insert(LIST.to_owned(), list.into_bytes());
    Files::new(files, frame)
}

/// A line of the list of certificates.
pub(crate) fn line(
    layout: &Layout,
    name: &crate::CertificateName,
    certificate: &crate::desired::Certificate,
) -> String {
    let hosts: String = certificate.hosts.iter().map(|host| format!(" {host}")).collect();
    format!("{} [alpn h2,http/1.1]{hosts}\n", layout.path(&name.file()))
}
