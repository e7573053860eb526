//! The file systems of the database, the images, and the volumes.

use super::bytes;
use crate::{Area, Code, DiskFacts, DiskSpace, Examined, Facts, Finding, Usage};

const AREA: Area = Area::Disk;
/// Below this, a file system counts as full: the database may stop at any commit.
const FULL: u64 = 100 << 20;
/// Below this and a twentieth of its size, a file system counts as nearly full.
const LOW: u64 = 2 << 30;

pub(super) fn examine(facts: &Facts) -> Examined {
    let disks = match &facts.machine {
        Ok(machine) => &machine.disks,
        Err(reason) => return Examined::unknown(AREA, reason),
    };
    let free = disks.iter().filter_map(|disk| {
        let space = disk.space.as_ref().ok()?;
        Some(format!("{} {} free", disk.purpose, bytes(space.free)))
    });
    let mut examined = Examined::new(AREA, free.collect::<Vec<_>>().join(", "));
    for disk in disks {
        examined = match &disk.space {
            Ok(space) => examined
                .with(read_only(disk, *space))
                .with(full(disk, *space))
                .with(inodes(disk, *space)),
            Err(reason) => examined.lacking(&format!("{} ({reason})", disk.path)),
        };
    }
    examined
}

fn read_only(disk: &DiskFacts, space: DiskSpace) -> Option<Finding> {
    if !space.is_read_only {
        return None;
    }
    let DiskFacts { purpose, path, .. } = disk;
    Some(
        Finding::error(AREA, Code::DiskReadOnly)
            .what(format!("{path}, with {purpose}, is mounted for reading only"))
            .means("nothing more is recorded or made there; the kernel does that after a fault of the disk, too")
            .mend(format!(
                "dmesg shows why; findmnt -T {path} names the file system, and mount -o remount,rw opens it again"
            )),
    )
}

fn full(disk: &DiskFacts, space: DiskSpace) -> Option<Finding> {
    let DiskSpace { size, free, .. } = space;
    // A small file system that is mostly free is not full.
    let is_full = free < FULL.min(size / 10);
    let is_low = free < LOW && free < size / 20;
    let finding = match (is_full, is_low) {
        (true, _) => Finding::error(AREA, Code::DiskFull),
        (false, true) => Finding::warning(AREA, Code::DiskFull),
        (false, false) => return None,
    };
    let DiskFacts { purpose, path, .. } = disk;
    let finding = finding
        .what(format!("{path}, with {purpose}, has {} of {} left", bytes(free), bytes(size)))
        .means("once it is full, no lease is recorded, no image loaded, and no instance can write")
        .mend(
            "orchestrator image prune, orchestrator volume ls, and history in the settings make room; or enlarge the file \
             system",
        );
    Some(finding)
}

fn inodes(disk: &DiskFacts, space: DiskSpace) -> Option<Finding> {
    let DiskSpace {
        inodes, free_inodes, ..
    } = space;
    let usage = Usage {
        used: inodes.saturating_sub(free_inodes),
        limit: inodes,
    };
    if inodes == 0 || !usage.leaves_less_than(20) {
        return None;
    }
    let finding = match usage.leaves_less_than(100) {
        true => Finding::error(AREA, Code::InodesFew),
        false => Finding::warning(AREA, Code::InodesFew),
    };
    let DiskFacts { purpose, path, .. } = disk;
    let finding = finding
        .what(format!(
            "{path}, with {purpose}, has {free_inodes} of {inodes} inodes left"
        ))
        .means("without inodes no file can be made there, however much room there is")
        .mend("remove many small files: orchestrator image prune, orchestrator volume ls");
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity::{self, Error, Warning};

    fn found(space: DiskSpace) -> Vec<(Code, Severity)> {
        let mut facts = Facts::healthy();
        facts.machine_mut().disks[0].space = Ok(space);
        let found = examine(&facts).findings;
        found.iter().map(|one| (one.code, one.severity)).collect()
    }

    const LARGE: DiskSpace = DiskSpace {
        size: 100 << 30,
        free: 50 << 30,
        inodes: 1000,
        free_inodes: 900,
        is_read_only: false,
    };

    #[test]
    fn a_disk_that_fills_is_a_warning_and_a_full_one_an_error() {
        assert_eq!(found(LARGE), []);
        assert_eq!(found(DiskSpace { free: 1 << 30, ..LARGE }), [(Code::DiskFull, Warning)]);
        assert_eq!(found(DiskSpace { free: 1 << 20, ..LARGE }), [(Code::DiskFull, Error)]);
        assert_eq!(found(DiskSpace { free: 0, ..LARGE }), [(Code::DiskFull, Error)]);
    }

    #[test]
    fn a_small_disk_with_room_is_healthy() {
        let small = DiskSpace {
            size: 8 << 20,
            free: 7 << 20,
            ..LARGE
        };
        assert_eq!(found(small), []);
        assert_eq!(
            found(DiskSpace {
                free: 100 << 10,
                ..small
            }),
            [(Code::DiskFull, Error)]
        );
    }

    #[test]
    fn inodes_count_where_there_is_a_number_of_them() {
        assert_eq!(
            found(DiskSpace {
                free_inodes: 40,
                ..LARGE
            }),
            [(Code::InodesFew, Warning)]
        );
        assert_eq!(
            found(DiskSpace {
                free_inodes: 1,
                ..LARGE
            }),
            [(Code::InodesFew, Error)]
        );
        let without = DiskSpace {
            inodes: 0,
            free_inodes: 0,
            ..LARGE
        };
        assert_eq!(found(without), []);
    }

    #[test]
    fn a_disk_that_takes_no_writes_is_an_error() {
        let frozen = DiskSpace {
            is_read_only: true,
            ..LARGE
        };
        assert_eq!(found(frozen), [(Code::DiskReadOnly, Error)]);
    }
}
