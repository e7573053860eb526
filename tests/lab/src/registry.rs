//! A registry of images in memory, which gives its images to one user only (OCI distribution specification, "Pull").

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Namespace;
use crate::namespace::output;

/// The user to whom it gives its images.
pub const REGISTRY_USER: &str = "robot";
/// The user's password.
pub const REGISTRY_PASSWORD: &str = "hunter2-of-the-lab";

/// The token for those who have given the password.
const TOKEN: &str = "a-token-of-the-lab";
/// How long a peer may take to ask.
const PATIENCE: Duration = Duration::from_secs(30);
/// The type of a manifest.
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// How the registry wants to be told who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryAuth {
    /// The password with every request.
    Basic,
    /// A token, which it gives for the password.
    Bearer,
}

/// What it has.
#[derive(Default)]
struct Shelf {
    /// By `NAME/TAG` or `NAME/DIGEST`.
    manifests: BTreeMap<String, Vec<u8>>,
    blobs: BTreeMap<String, Vec<u8>>,
    /// The head of each request, without what is secret.
    asked: Vec<String>,
}

/// A registry on the loopback address of a namespace, over plain HTTP. It serves until the process ends.
pub struct Registry {
    host: String,
    shelf: Arc<Mutex<Shelf>>,
}

impl Registry {
    /// Starts a registry.
    ///
    /// # Errors
    ///
    /// When the namespace has no loopback address.
    pub fn start(namespace: &Namespace, auth: RegistryAuth) -> Result<Self> {
        Self::on(namespace.within(|| TcpListener::bind("127.0.0.1:0")), auth)
    }

    /// Starts a registry in the namespace of this process.
    ///
    /// # Errors
    ///
    /// When there is no loopback address.
    pub fn start_here(auth: RegistryAuth) -> Result<Self> {
        Self::on(TcpListener::bind("127.0.0.1:0"), auth)
    }

    fn on(listener: std::io::Result<TcpListener>, auth: RegistryAuth) -> Result<Self> {
        let listener = listener.context("cannot listen for a registry")?;
        let host = listener.local_addr()?.to_string();
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let (served, name) = (shelf.clone(), host.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shelf, host) = (served.clone(), name.clone());
                // A peer that breaks off is none of ours.
                thread::spawn(move || serve(stream, &shelf, &host, auth));
            }
        });
        Ok(Self { host, shelf })
    }

    /// The registry, as names of images have it: `127.0.0.1:PORT`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Publishes the image of an archive that `docker save` wrote. Returns its full name.
    ///
    /// # Errors
    ///
    /// When the archive cannot be read.
    pub fn publish(&self, archive: &[u8], name: &str, tag: &str, place: &Path) -> Result<String> {
        let directory = place.join("published");
        fs::create_dir_all(&directory)?;
        let file = place.join("published.tar");
        fs::write(&file, archive)?;
        output(Command::new("tar").arg("-xf").arg(&file).arg("-C").arg(&directory))?;
        let manifest: Value = serde_json::from_slice(&fs::read(directory.join("manifest.json"))?)?;
        let read = |value: &Value| -> Result<Vec<u8>> {
            let name = value.as_str().context("a manifest of docker save")?;
            Ok(fs::read(directory.join(name))?)
        };
        let config = read(&manifest[0]["Config"])?;
        let layers = manifest[0]["Layers"].as_array().context("layers")?;
        let layers: Vec<Vec<u8>> = layers.iter().map(read).collect::<Result<_>>()?;
        fs::remove_dir_all(&directory)?;
        fs::remove_file(&file)?;
        Ok(self.put((name, tag), config, layers))
    }

    /// Publishes an image of this configuration and these layers. Returns its full name.
    pub fn put(&self, (name, tag): (&str, &str), config: Vec<u8>, layers: Vec<Vec<u8>>) -> String {
        let described =
            |kind: &str, blob: &[u8]| json!({ "mediaType": kind, "size": blob.len(), "digest": digest(blob) });
        let document = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described("application/vnd.docker.container.image.v1+json", &config),
            "layers": layers
                .iter()
                .map(|layer| described("application/vnd.docker.image.rootfs.diff.tar.gzip", layer))
                .collect::<Vec<_>>(),
        });
        let document = document.to_string().into_bytes();
        let mut shelf = lock(&self.shelf);
        for blob in layers.into_iter().chain([config]) {
            shelf.blobs.insert(digest(&blob), blob);
        }
        shelf
            .manifests
            .insert(format!("{name}/{}", digest(&document)), document.clone());
        shelf.manifests.insert(format!("{name}/{tag}"), document);
        format!("{}/{name}:{tag}", self.host)
    }

    /// What it was asked for: methods and paths.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.shelf).asked.clone()
    }
}

fn lock(shelf: &Mutex<Shelf>) -> std::sync::MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request, as far as a registry looks at it.
struct Asked {
    method: String,
    path: String,
    authorization: String,
}

fn serve(stream: TcpStream, shelf: &Mutex<Shelf>, host: &str, auth: RegistryAuth) -> Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    while let Some(asked) = read(&mut reader)? {
        lock(shelf).asked.push(format!("{} {}", asked.method, asked.path));
        answer(&mut writer, &asked, shelf, host, auth)?;
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> Result<Option<Asked>> {
    let mut line = String::new();
    if reader.by_ref().take(1 << 16).read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut authorization = String::new();
    loop {
        let mut line = String::new();
        ensure!(reader.by_ref().take(1 << 16).read_line(&mut line)? > 0, "it breaks off");
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("authorization") {
            value.trim().clone_into(&mut authorization);
        }
    }
    Ok(Some(Asked {
        method,
        path,
        authorization,
    }))
}

fn answer(writer: &mut impl Write, asked: &Asked, shelf: &Mutex<Shelf>, host: &str, auth: RegistryAuth) -> Result<()> {
    let basic = format!("Basic {}", base64(&format!("{REGISTRY_USER}:{REGISTRY_PASSWORD}")));
    let path = asked.path.split('?').next().unwrap_or_default();
    if path == "/token" {
        let token = json!({ "token": TOKEN }).to_string();
        return match asked.authorization == basic {
            true => respond(
                writer,
                asked,
                "200 OK",
                "Content-Type: application/json\r\n",
                token.as_bytes(),
            ),
            false => respond(writer, asked, "401 Unauthorized", "", &problem("UNAUTHORIZED")),
        };
    }
    let (wanted, challenge) = match auth {
        RegistryAuth::Basic => (basic, "Basic realm=\"lab\"".to_owned()),
        RegistryAuth::Bearer => {
            let name = path.trim_start_matches("/v2/").split("/manifests/").next();
            let name = name.and_then(|name| name.split("/blobs/").next()).unwrap_or_default();
            let scope = format!("repository:{name}:pull");
            (
                format!("Bearer {TOKEN}"),
                format!("Bearer realm=\"http://{host}/token\",service=\"lab\",scope=\"{scope}\""),
            )
        }
    };
    if asked.authorization != wanted {
        let header = format!("WWW-Authenticate: {challenge}\r\n");
        return respond(writer, asked, "401 Unauthorized", &header, &problem("UNAUTHORIZED"));
    }
    let found = find(path, &lock(shelf));
    match found {
        Some((kind, bytes)) => {
            let header = format!("Content-Type: {kind}\r\nDocker-Content-Digest: {}\r\n", digest(&bytes));
            respond(writer, asked, "200 OK", &header, &bytes)
        }
        None => respond(writer, asked, "404 Not Found", "", &problem("MANIFEST_UNKNOWN")),
    }
}

fn find(path: &str, shelf: &Shelf) -> Option<(&'static str, Vec<u8>)> {
    let rest = path.strip_prefix("/v2/")?;
    if rest.is_empty() {
        return Some(("application/json", b"{}".to_vec()));
    }
    if let Some((name, reference)) = rest.split_once("/manifests/") {
        return Some((MANIFEST, shelf.manifests.get(&format!("{name}/{reference}"))?.clone()));
    }
    let (_, digest) = rest.split_once("/blobs/")?;
    Some(("application/octet-stream", shelf.blobs.get(digest)?.clone()))
}

fn respond(writer: &mut impl Write, asked: &Asked, status: &str, headers: &str, body: &[u8]) -> Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nDocker-Distribution-Api-Version: registry/2.0\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    writer.write_all(head.as_bytes())?;
    if asked.method != "HEAD" {
        writer.write_all(body)?;
    }
    Ok(writer.flush()?)
}

fn problem(code: &str) -> Vec<u8> {
    let words = code.to_lowercase().replace('_', " ");
    json!({ "errors": [{ "code": code, "message": words }] })
        .to_string()
        .into_bytes()
}

fn digest(bytes: &[u8]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        // A string takes whatever is written.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            encoded.push(match place <= chunk.len() {
                true => char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]),
                false => '=',
            });
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded() {
        for (text, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("a:b", "YTpi"),
        ] {
            assert_eq!(base64(text), encoded);
        }
    }
}
