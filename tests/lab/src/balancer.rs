//! An image of the balancer, made of this machine's HAProxy.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::namespace::output;

/// The image that the daemon takes for its balancers.
pub const BALANCER_IMAGE: &str = "orchestrator/balancer";

/// The user `balancer` of the image.
const USER: u32 = 1000;

/// Makes the root file system of [`BALANCER_IMAGE`] in a directory: what `docker/balancer/build` makes of packages.
///
/// # Errors
///
/// When haproxy or busybox-static is not installed, or the directory cannot be written.
pub fn lay_out_balancer_image(root: &Path) -> Result<()> {
    for directory in [
        "dev",
        "etc",
        "proc",
        "sys",
        "tmp",
        "usr/bin",
        "usr/sbin",
        "usr/lib",
        "usr/lib64",
        "var/lib",
    ] {
        fs::create_dir_all(root.join(directory))?;
    }
    for link in ["bin", "sbin", "lib", "lib64"] {
        symlink(format!("usr/{link}"), root.join(link))?;
    }
    fs::copy("/bin/busybox", root.join("usr/bin/busybox")).context("is busybox-static installed?")?;
    for applet in ["sh", "cat", "cp", "rm", "ls", "ps", "kill"] {
        symlink("busybox", root.join("usr/bin").join(applet))?;
    }
    fs::copy("/usr/sbin/haproxy", root.join("usr/sbin/haproxy")).context("is haproxy installed?")?;
    for library in libraries("/usr/sbin/haproxy")? {
        let name = library.file_name().context("a library has a name")?;
        // The loader is where the program says that it is.
        let place = match library.starts_with("/lib64") {
            true => root.join("usr/lib64"),
            false => root.join("usr/lib"),
        };
        fs::copy(&library, place.join(name)).with_context(|| format!("cannot copy {}", library.display()))?;
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docker/balancer");
    for part in ["rootfs/.", "scratch/."] {
        output(Command::new("cp").arg("-R").arg(sources.join(part)).arg(root))?;
    }
    let home = root.join("var/lib/balancer");
    fs::create_dir_all(home.join("certificates"))?;
    for place in [home.join("certificates"), home] {
        chown(place, Some(USER), Some(USER))?;
    }
    Ok(())
}

/// The libraries that a program is linked with, and its loader.
fn libraries(program: &str) -> Result<Vec<PathBuf>> {
    let printed = output(Command::new("ldd").arg(program))?;
    let text = String::from_utf8_lossy(&printed.stdout);
    let paths = text
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    let paths: Vec<PathBuf> = paths.map(PathBuf::from).collect();
    ensure!(!paths.is_empty(), "ldd names no library of {program}: {text}");
    Ok(paths)
}
