//! The groups of quotas of a file system.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use super::ioctl::{AssignGroup, CountAnew, FileSystemInfo, LimitGroup, QuotaGroup, call};

/// The level of our groups.
const LEVEL: u64 = 111;

/// The groups of a file system, as the kernel shows them below `/sys`.
pub(super) struct Groups {
    directory: PathBuf,
}

/// What a group counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    /// Bytes that its subvolumes refer to.
    pub(super) bytes: u64,
    /// The most that they may refer to.
    pub(super) limit: Option<u64>,
}

impl Groups {
    /// Those of the file system of an open directory.
    pub(super) fn of(directory: &File) -> io::Result<Self> {
        let mut info = FileSystemInfo::new();
        call(directory, &mut info)?;
        let mut id = String::new();
        for (place, byte) in info.id.iter().enumerate() {
            let dash = if matches!(place, 4 | 6 | 8 | 10) { "-" } else { "" };
            let _ = write!(id, "{dash}{byte:02x}");
        }
        Ok(Self {
            directory: PathBuf::from(format!("/sys/fs/btrfs/{id}/qgroups")),
        })
    }

    /// Whether quotas are switched on.
    pub(super) fn are_counted(&self) -> bool {
        self.directory.is_dir()
    }

    /// What our group of a subvolume counts; `None` when there is no such group.
    pub(super) fn counted(&self, subvolume: u64) -> io::Result<Option<Counted>> {
        let directory = self.directory.join(format!("{LEVEL}_{subvolume}"));
        let number = |name: &str| match fs::read_to_string(directory.join(name)) {
            Ok(text) => {
                let number = text.trim().parse().map_err(io::Error::other)?;
                Ok(Some(number))
            }
            Err(fault) if fault.kind() == ErrorKind::NotFound => Ok(None),
            Err(fault) => Err(fault),
        };
        let (Some(bytes), Some(flags), Some(most)) =
            (number("referenced")?, number("limit_flags")?, number("max_referenced")?)
        else {
            return Ok(None);
        };
        let limit = (flags & 1 == 1).then_some(most);
        Ok(Some(Counted { bytes, limit }))
    }

    /// Makes sure that our group of a subvolume is there.
    pub(super) fn ensure(&self, at: &File, subvolume: u64) -> io::Result<()> {
        if self.counted(subvolume)?.is_some() {
            return Ok(());
        }
        match call(at, &mut QuotaGroup::created(group(subvolume))) {
            Err(fault) if fault.kind() != ErrorKind::AlreadyExists => Err(fault),
            _ => Ok(()),
        }
    }

    /// Has our group of `subvolume` count another subvolume, too, or itself.
    pub(super) fn include(&self, at: &File, member: u64, subvolume: u64) -> io::Result<()> {
        match call(at, &mut AssignGroup::new(member, group(subvolume))) {
            Err(fault) if fault.kind() == ErrorKind::AlreadyExists => return Ok(()),
            assigned => assigned?,
        }
        // What a subvolume that was not counted alone shares with others is only known after all is counted anew.
        let is_inconsistent = fs::read_to_string(self.directory.join("inconsistent"));
        if is_inconsistent.is_ok_and(|text| text.trim() == "1") {
            match call(at, &mut CountAnew::new()) {
                Err(fault) if fault.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                    return Err(fault);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Limits what our group of a subvolume may refer to.
    pub(super) fn limit(&self, at: &File, subvolume: u64, bytes: Option<u64>) -> io::Result<()> {
        if self.counted(subvolume)?.is_some_and(|counted| counted.limit == bytes) {
            return Ok(());
        }
        call(at, &mut LimitGroup::new(group(subvolume), bytes))
    }

    /// Removes the groups of subvolumes that were removed. The kernel lets a subvolume go some time later, and keeps its
    /// group as long; so this also tries those of earlier removals. A group that counts anything stays.
    pub(super) fn sweep(&self, at: &File, removed: &[u64]) {
        for subvolume in removed {
            let _ = call(at, &mut QuotaGroup::removed(*subvolume));
        }
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return;
        };
        let prefix = format!("{LEVEL}_");
        for entry in entries.flatten() {
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.strip_prefix(&prefix)?.parse().ok());
            if let Some(id) = id {
                let _ = call(at, &mut QuotaGroup::removed(group(id)));
            }
        }
    }
}

fn group(subvolume: u64) -> u64 {
    LEVEL << 48 | subvolume
}
