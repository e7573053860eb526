//! `[volumes]`: where the volumes of instances are.

use std::path::{Path, PathBuf};

use super::reader::Table;

/// Where the volumes of instances are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumesSettings {
    /// The directory of all volumes: an absolute path. The daemon makes it, open to nobody else.
    pub directory: PathBuf,
}

impl VolumesSettings {
    pub(super) fn read(mut table: Table<'_>, identity: &Path) -> Self {
        let remedy = "give an absolute path, like \"/var/lib/orchestrator/volumes\"";
        let directory = table
            .take("directory")
            .and_then(|entry| entry.parse(remedy, parse_directory));
        table.finish();
        Self {
            // Beside the identity: each daemon has one of its own.
            directory: directory.unwrap_or_else(|| identity.with_file_name("volumes")),
        }
    }
}

fn parse_directory(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    let leads_out = path.components().any(|part| part.as_os_str() == "..");
    match path.is_absolute() && path.parent().is_some() && !leads_out && !text.contains('\0') {
        true => Ok(path.to_owned()),
        false => Err(format!("{text:?} is no absolute path of a directory")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_beside_the_identity_unless_another_place_is_given() {
        let read = |text: &str| crate::parse(text, std::iter::empty());
        let directory = |text: &str| read(text).unwrap().volumes.directory;
        assert_eq!(directory(""), Path::new("/var/lib/orchestrator/volumes"));
        assert_eq!(
            directory("[store]\nidentity = \"/srv/a.identity\""),
            Path::new("/srv/volumes")
        );
        assert_eq!(
            directory("[volumes]\ndirectory = \"/srv/data\""),
            Path::new("/srv/data")
        );
        for bad in ["data", "/", "/srv/../etc"] {
            let faults = read(&format!("[volumes]\ndirectory = \"{bad}\"")).unwrap_err();
            assert!(faults.iter().all(|fault| fault.key == "volumes.directory"), "{bad}");
        }
    }
}
