//! Images for an engine that reaches no registry.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::http::{self, Body};
use crate::namespace::output;
use crate::{Engine, Lab};

/// The image of [`Engine::import_test_image`].
pub const TEST_IMAGE: &str = "orchestrator/test";

/// Where the test image answers over HTTP.
pub const TEST_PORT: u16 = 80;

/// How long an engine may take to take an image in on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

impl Engine {
    /// Makes an image of a root file system in a tar archive. `changes` are lines of a Dockerfile, such as
    /// `CMD ["httpd"]`.
    ///
    /// # Errors
    ///
    /// When the archive cannot be read, or the engine refuses it.
    pub fn import_image(&self, archive: &Path, image: &str, changes: &[&str]) -> Result<()> {
        let mut path = format!("/images/create?fromSrc=-&repo={image}&tag=latest");
        for change in changes {
            path += &format!("&changes={}", escape(change));
        }
        self.upload(&path, archive)
            .with_context(|| format!("cannot import {image}"))
    }

    /// Loads an archive as `docker save` writes them.
    ///
    /// # Errors
    ///
    /// When the archive cannot be read, or the engine refuses it.
    pub fn load_image(&self, archive: &Path) -> Result<()> {
        self.upload("/images/load?quiet=1", archive)
            .with_context(|| format!("cannot load {}", archive.display()))
    }

    /// Makes the image [`TEST_IMAGE`]: busybox, with a web server on port [`TEST_PORT`] whose page `/` is the
    /// same for all, and whose `/cgi-bin/hostname` answers the instance's host name.
    ///
    /// # Errors
    ///
    /// When busybox-static is not installed, or the engine refuses the image.
    pub fn import_test_image(&self) -> Result<()> {
        let place = self.namespace().lab().place("image")?;
        let root = place.join("root");
        lay_out_test_image(&root).context("cannot lay out the test image")?;
        let archive = place.join("image.tar");
        let lab = self.namespace().lab();
        output(
            lab.command("tar")
                .arg("-C")
                .arg(&root)
                .arg("-cf")
                .arg(&archive)
                .arg("."),
        )?;
        let command = format!(r#"CMD ["httpd", "-f", "-p", "[::]:{TEST_PORT}", "-h", "/www"]"#);
        self.import_image(&archive, TEST_IMAGE, &[&command, &format!("EXPOSE {TEST_PORT}")])
    }

    /// Sends the engine an archive to make an image of.
    fn upload(&self, path: &str, archive: &Path) -> Result<()> {
        let bytes = fs::read(archive).with_context(|| format!("cannot read {}", archive.display()))?;
        let body = Body {
            kind: "application/x-tar",
            bytes: &bytes,
        };
        let answer = http::ask(self.socket(), "POST", path, Some(body), PATIENCE)?;
        let text = answer.text();
        // The status is sent before the work is done, so a fault may come after it.
        ensure!(
            answer.status == 200 && !text.contains("\"error\""),
            "the engine says: {text}"
        );
        Ok(())
    }
}

/// Makes the root file system of [`TEST_IMAGE`] in a directory.
///
/// # Errors
///
/// When busybox-static is not installed, or the directory cannot be written.
pub fn lay_out_test_image(root: &Path) -> Result<()> {
    for directory in ["bin", "etc", "proc", "sys", "tmp", "www/cgi-bin"] {
        fs::create_dir_all(root.join(directory))?;
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).context("is busybox-static installed?")?;
    for applet in [
        "cat", "hostname", "httpd", "ip", "kill", "nc", "ping", "sed", "sh", "sleep", "wget",
    ] {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n")?;
    fs::write(root.join("etc/group"), "root:x:0:\n")?;
    fs::write(root.join("www/index.html"), "an instance\n")?;
    let script = root.join("www/cgi-bin/hostname");
    fs::write(&script, "#!/bin/sh\necho Content-Type: text/plain\necho\nhostname\n")?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Packs a root file system as an image in Docker's layout, and returns the archive. `settings` are those of the image:
/// `Cmd`, `Labels` and so on. Another comment makes it another image.
///
/// # Errors
///
/// When it cannot be packed.
pub fn image_archive(lab: &Lab, root: &Path, name: &str, comment: &str, settings: &Value) -> Result<PathBuf> {
    let place = lab.place("archive")?;
    let (parts, archive) = (place.join("parts"), place.join("image.tar"));
    fs::create_dir(&parts)?;
    tar(lab, root, &parts.join("layer.tar"), &["--mtime=@0", "--sort=name", "."])?;
    let digest = sha256(lab, &parts.join("layer.tar"))?;
    let config = json!({
        "architecture": "amd64", "os": "linux", "comment": comment, "config": settings,
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{digest}")] },
    });
    fs::write(parts.join("config.json"), config.to_string())?;
    let manifest = json!([{ "Config": "config.json", "RepoTags": [with_tag(name)], "Layers": ["layer.tar"] }]);
    fs::write(parts.join("manifest.json"), manifest.to_string())?;
    tar(lab, &parts, &archive, &["manifest.json", "config.json", "layer.tar"])?;
    fs::remove_dir_all(&parts)?;
    Ok(archive)
}

fn tar(lab: &Lab, from: &Path, to: &Path, what: &[&str]) -> Result<()> {
    let mut command = lab.command("tar");
    command.arg("-C").arg(from).arg("-cf").arg(to).args(what);
    output(&mut command).map(drop)
}

fn sha256(lab: &Lab, path: &Path) -> Result<String> {
    let printed = output(lab.command("sha256sum").arg(path))?;
    let printed = String::from_utf8_lossy(&printed.stdout);
    Ok(printed.split_whitespace().next().unwrap_or_default().to_owned())
}

/// The name with a tag, as archives have it.
fn with_tag(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or_default();
    match last.contains(':') {
        true => name.to_owned(),
        false => format!("{name}:latest"),
    }
}

/// Percent-encodes everything that has a meaning of its own in a query.
fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encode).collect()
}
