//! Podman as an engine of the lab: its settings, and the command of its service.

use std::io;
use std::path::Path;
use std::process::Command;

/// Writes the settings of a Podman whose state is in the directory `place`.
///
/// The limits on files and processes are those that a machine without systemd can give; events go to a file because
/// there is no journal.
pub(crate) fn configure(place: &Path) -> io::Result<()> {
    let place = place.display();
    let text = format!(
        "[containers]\ndefault_ulimits = [\"nofile=4096:4096\", \"nproc=16384:16384\"]\n\
         [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n\
         tmp_dir = \"{place}/tmp\"\nvolume_path = \"{place}/volumes\"\n\
         image_copy_tmp_dir = \"{place}\"\n"
    );
    std::fs::write(format!("{place}/containers.conf"), text)
}

/// Makes `podman` the service that answers at `url` and keeps all its state in the directory `place`.
pub(crate) fn service(mut podman: Command, place: &Path, url: &str) -> Command {
    podman.env("CONTAINERS_CONF", place.join("containers.conf"));
    // It leaves archives of images in the directory for temporary files.
    podman.env("TMPDIR", place);
    podman.arg("--root").arg(place.join("root"));
    podman.arg("--runroot").arg(place.join("runroot"));
    podman.args(["--storage-driver", "overlay", "system", "service", "--time=0", url]);
    podman
}
