//! Limits on a real btrfs.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;

use orchestrator_lab::{Btrfs, wait_for};
use orchestrator_quota::{Enforcement, Obstacle, Usage, create, limit, measure, remove, support};

const MIB: u64 = 1 << 20;
/// What a subvolume takes besides its files: its tree.
const TREE: u64 = MIB / 2;
/// The directory that a test started again under other privileges works in.
const PLACE: &str = "ORCHESTRATOR_TEST_PLACE";
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Writes bytes that no compression makes fewer, until all are on the disk.
fn write(path: &Path, mebibytes: u64) -> std::io::Result<()> {
    let mut piece = vec![0; 1 << 20];
    let mut random = File::open("/dev/urandom")?;
    std::io::Read::read_exact(&mut random, &mut piece)?;
    let mut file = File::create(path)?;
    for _ in 0..mebibytes {
        file.write_all(&piece)?;
    }
    file.sync_all()
}

fn is_full(written: std::io::Result<()>) -> bool {
    written.is_err_and(|fault| fault.kind() == ErrorKind::QuotaExceeded)
}

/// Measures until the kernel has counted what was written.
fn wait_until(path: &Path, is_right: impl Fn(Usage) -> bool) {
    wait_for("the kernel to count", PATIENCE, || {
        File::open(path).unwrap().sync_all().unwrap();
        is_right(measure(path).unwrap()).then_some(())
    });
}

#[test]
fn the_kernel_refuses_what_is_over_the_limit_and_takes_it_when_the_limit_is_raised_or_lifted() {
    let btrfs = Btrfs::mount(true).unwrap();
    let (one, other) = (btrfs.path().join("one"), btrfs.path().join("other"));
    assert_eq!(support(&btrfs.path().join("not/there")).unwrap(), Enforcement::Enforced);
    for path in [&one, &other] {
        create(path).unwrap();
        assert_eq!(limit(path, Some(8 * MIB)).unwrap(), Enforcement::Enforced);
        // Again, as each start of an instance does.
        assert_eq!(limit(path, Some(8 * MIB)).unwrap(), Enforcement::Enforced);
    }
    assert_eq!(create(&one).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert!(is_full(write(&one.join("large"), 10)));
    fs::remove_file(one.join("large")).unwrap();
    write(&other.join("small"), 6).unwrap();
    wait_until(&other, |usage| {
        usage.bytes >= 6 * MIB && usage.bytes < 6 * MIB + TREE && usage.limit == Some(8 * MIB)
    });
    assert_eq!(measure(&other).unwrap().obstacle, None);
    // A name of another directory does not matter, and the limit is the subvolume's own.
    fs::rename(&other, btrfs.path().join("renamed")).unwrap();
    let other = btrfs.path().join("renamed");
    limit(&other, Some(20 * MIB)).unwrap();
    write(&other.join("more"), 10).unwrap();
    assert!(is_full(write(&other.join("too-much"), 10)));
    limit(&other, None).unwrap();
    write(&other.join("too-much"), 10).unwrap();
    wait_until(&other, |usage| usage.bytes >= 26 * MIB && usage.limit.is_none());
    // Less than there is already: nothing is lost, and nothing is added.
    limit(&other, Some(8 * MIB)).unwrap();
    assert_eq!(fs::metadata(other.join("more")).unwrap().len(), 10 * MIB);
    assert!(is_full(write(&other.join("again"), 1)));
}

#[test]
fn subvolumes_that_a_process_makes_within_count_as_well_and_go_with_the_volume() {
    let btrfs = Btrfs::mount(true).unwrap();
    let volume = btrfs.path().join("volume");
    create(&volume).unwrap();
    limit(&volume, Some(8 * MIB)).unwrap();
    let inner = volume.join("inner");
    let shown = |path: &Path| path.display().to_string();
    btrfs.run(&["subvolume", "create", &shown(&inner)]).unwrap();
    btrfs
        .run(&["subvolume", "create", &shown(&inner.join("innermost"))])
        .unwrap();
    measure(&volume).unwrap();
    write(&inner.join("innermost/file"), 5).unwrap();
    wait_until(&volume, |usage| usage.bytes >= 5 * MIB);
    assert!(is_full(write(&inner.join("file"), 5)), "all of them share one limit");
    limit(&volume, None).unwrap();
    let copy = volume.join("copy");
    btrfs
        .run(&[
            "subvolume",
            "snapshot",
            "-r",
            &shown(&inner.join("innermost")),
            &shown(&copy),
        ])
        .unwrap();
    for number in 0..300 {
        // More than one answer of the kernel holds.
        create(&volume.join(format!("many-{number}"))).unwrap();
    }
    measure(&volume).unwrap();
    assert!(remove(&volume).unwrap());
    assert!(!volume.exists());
    assert!(!remove(&volume).unwrap(), "it is gone already");
    let listed = btrfs.run(&["subvolume", "list", &shown(btrfs.path())]).unwrap();
    assert_eq!(listed, "", "nothing of it is left");
    // Its group goes with the next volume that is removed after the kernel has let go of it.
    wait_for("the groups to be gone", PATIENCE, || {
        let other = btrfs.path().join("other");
        btrfs.run(&["filesystem", "sync", &shown(btrfs.path())]).unwrap();
        create(&other).unwrap();
        assert!(remove(&other).unwrap());
        // The program fails while the kernel removes a group that it has just read of.
        let groups = btrfs.run(&["qgroup", "show", &shown(btrfs.path())]).ok()?;
        (!groups.contains("111/")).then_some(())
    });
}

#[test]
fn what_cannot_be_limited_says_why_and_is_measured_by_reading_it() {
    let btrfs = Btrfs::mount(false).unwrap();
    let off = Enforcement::Missing(Obstacle::QuotasOff);
    let volume = btrfs.path().join("volume");
    create(&volume).unwrap();
    assert_eq!(
        (support(btrfs.path()).unwrap(), limit(&volume, Some(MIB)).unwrap()),
        (off, off)
    );
    write(&volume.join("file"), 3).unwrap();
    let usage = measure(&volume).unwrap();
    assert!(usage.bytes >= 3 * MIB && usage.limit.is_none(), "{usage:?}");
    assert_eq!(usage.obstacle, Some(Obstacle::QuotasOff));
    assert!(remove(&volume).unwrap() && !volume.exists());
    let plain = btrfs.path().join("plain");
    fs::create_dir(&plain).unwrap();
    assert_eq!(
        limit(&plain, None).unwrap(),
        Enforcement::Missing(Obstacle::PlainDirectory)
    );
    assert!(!remove(&plain).unwrap() && plain.exists());
    // What the btrfs is in.
    let elsewhere = btrfs.path().parent().unwrap().join("elsewhere");
    create(&elsewhere).unwrap();
    assert_eq!(
        limit(&elsewhere, Some(MIB)).unwrap(),
        Enforcement::Missing(Obstacle::FileSystem)
    );
    assert!(limit(&btrfs.path().join("none"), None).is_err());
    // Quotas that are switched on later.
    create(&volume).unwrap();
    write(&volume.join("file"), 3).unwrap();
    btrfs
        .run(&["quota", "enable", &btrfs.path().display().to_string()])
        .unwrap();
    btrfs
        .run(&["quota", "rescan", "-w", &btrfs.path().display().to_string()])
        .unwrap();
    assert_eq!(limit(&volume, Some(8 * MIB)).unwrap(), Enforcement::Enforced);
    wait_until(&volume, |usage| usage.bytes >= 3 * MIB);
    assert!(is_full(write(&volume.join("large"), 6)));
}

/// The capabilities that a unit leaves, as setpriv names them: `-all,+net_admin,…`.
fn bounding_set(unit: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../systemd/{unit}.service"));
    let unit = fs::read_to_string(path).unwrap();
    let set = unit
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let names = set.unwrap().split(' ').map(|name| name.strip_prefix("CAP_").unwrap());
    names.fold("-all".to_owned(), |set, name| format!("{set},+{}", name.to_lowercase()))
}

/// Runs one of the ignored tests below with no more than some capabilities.
fn confined(set: &str, test: &str, place: &Path) {
    let set = format!("--bounding-set={set}");
    let output = Command::new("setpriv")
        .args([&set, "--inh-caps=-all", "--no-new-privs"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", test])
        .env(PLACE, place)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn the_privileges_of_the_units_are_enough_and_without_them_a_directory_is_made_all_the_same() {
    let btrfs = Btrfs::mount(true).unwrap();
    for unit in ["orchestrator", "orchestrator-oci"] {
        confined(&bounding_set(unit), "as_a_unit_does_it", btrfs.path());
    }
    confined("-all,+dac_override,+chown,+fowner", "without_privilege", btrfs.path());
}

#[test]
#[ignore = "run by another test, with the privileges of a unit"]
fn as_a_unit_does_it() {
    let volume = Path::new(&std::env::var_os(PLACE).unwrap()).join("volume");
    create(&volume).unwrap();
    assert_eq!(limit(&volume, Some(8 * MIB)).unwrap(), Enforcement::Enforced);
    assert!(is_full(write(&volume.join("large"), 10)));
    assert!(measure(&volume).unwrap().limit.is_some());
    assert!(remove(&volume).unwrap());
}

#[test]
#[ignore = "run by another test, with few privileges"]
fn without_privilege() {
    let volume = Path::new(&std::env::var_os(PLACE).unwrap()).join("volume");
    create(&volume).unwrap();
    assert_eq!(
        limit(&volume, Some(8 * MIB)).unwrap(),
        Enforcement::Missing(Obstacle::Privilege)
    );
    write(&volume.join("file"), 10).unwrap();
    assert!(measure(&volume).unwrap().bytes >= 10 * MIB);
    assert!(!remove(&volume).unwrap(), "it is left to the caller, who empties it");
    fs::remove_dir_all(&volume).unwrap();
}
