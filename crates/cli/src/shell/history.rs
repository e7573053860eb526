//! The file of the history.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The file of the history, which nobody else can read; `None` where there is no place for it.
pub(super) fn file() -> Option<PathBuf> {
    let state = match std::env::var_os("XDG_STATE_HOME") {
        Some(state) => PathBuf::from(state),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".local/state"),
    };
    if !state.is_absolute() {
        return None;
    }
    prepare(&state.join("orchestrator"))
}

/// Makes sure that the file is there, and belongs to its user alone.
fn prepare(directory: &Path) -> Option<PathBuf> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .ok()?;
    let file = directory.join("history");
    let opened = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&file)
        .ok()?;
    // It may have been made by somebody with another mask.
    opened.set_permissions(Permissions::from_mode(0o600)).ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_for_its_user_alone() {
        let directory = std::env::temp_dir().join(format!("orchestrator-history-{}", std::process::id()));
        for _ in 0..2 {
            let file = prepare(&directory).unwrap();
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        }
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(prepare(Path::new("/proc/nowhere")), None);
    }
}
