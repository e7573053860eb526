//! `[[template.NAME.volume]]`: directories that outlive an instance.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::file::parse_mode;
use super::time::DAY;
use super::{SidecarSettings, is_name, parse_inside};
use crate::reader::{Entry, Table};
use crate::size::parse_size;
use orchestrator_model::{ContainerName, Keep};

/// Most volumes of one instance.
const MOST_VOLUMES: usize = 16;

/// The longest time for which a volume may be kept by a rule.
const LONGEST: Duration = Duration::from_secs(10 * 365 * DAY.as_secs());

/// A directory that outlives the instances that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeSettings {
    /// Its name.
    pub name: String,
    /// Absolute path inside the container.
    pub target: PathBuf,
    /// The container that has it.
    pub container: ContainerName,
    /// Whether the container may only read it.
    pub read_only: bool,
    /// Which instances get the same one.
    pub scope: VolumeScope,
    /// When it is removed.
    pub keep: Keep,
    /// The most that it may hold, in bytes, where the file system can limit that; `None` is no limit.
    pub size: Option<u64>,
    /// Permission bits of its directory when it is made.
    pub mode: u32,
    /// Number of the user that its directory belongs to when it is made, inside the container.
    pub uid: u32,
    /// Number of the group that its directory belongs to when it is made, inside the container.
    pub gid: u32,
}

/// Which instances of an owner get the same volume.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VolumeScope {
    /// Those of one slot: of one template of a client.
    #[default]
    Slot,
    /// Those of all slots of a client: of any of its templates, one at a time.
    Client,
}

/// Takes all of them. `None` only after a fault.
pub(super) fn read_all(table: &mut Table<'_>, sidecars: &[SidecarSettings]) -> Option<Vec<VolumeSettings>> {
    let Some(entry) = table.take("volume") else {
        return Some(Vec::new());
    };
    let volumes = entry.list_of(MOST_VOLUMES, |entry| {
        entry.table().and_then(|table| read(table, sidecars))
    })?;
    let (mut names, mut targets) = (BTreeSet::new(), BTreeSet::new());
    for volume in &volumes {
        if !names.insert(&volume.name) {
            let what = format!("has two volumes named {:?}", volume.name);
            table.fault("volume", what, "give each a name of its own");
            return None;
        }
        if !targets.insert((&volume.container, &volume.target)) {
            let what = format!("has two volumes at {}", volume.target.display());
            table.fault("volume", what, "give each a target of its own");
            return None;
        }
    }
    Some(volumes)
}

/// `None` only after a fault.
fn read(mut table: Table<'_>, sidecars: &[SidecarSettings]) -> Option<VolumeSettings> {
    let name = table.need("name", "name it, like \"data\"");
    let name = name.and_then(|entry| entry.parse("name it like \"data\"", parse_name));
    let target = table.need("target", "name the path inside, like \"/var/lib/app\"");
    let target = target.and_then(|entry| entry.parse("write it like \"/var/lib/app\"", parse_inside));
    let container = read_container(&mut table, sidecars);
    let read_only = table.take("read_only").map_or(Some(false), Entry::flag);
    let scopes = [("slot", VolumeScope::Slot), ("client", VolumeScope::Client)];
    let scope = table
        .take("scope")
        .map_or(Some(VolumeScope::default()), |entry| entry.choice(&scopes));
    let keep = table.take("keep").map_or(Some(Keep::default()), read_keep);
    let size = match table.take("size") {
        Some(entry) => entry.parse("take \"1MiB\" to \"16TiB\"", parse_limit).map(Some),
        None => Some(None),
    };
    let mode = match table.take("mode") {
        Some(entry) => entry.parse("write it in octal digits, like \"0700\"", parse_mode),
        None => Some(0o755),
    };
    let id = |entry: Option<Entry<'_>>| entry.map_or(Some(0), |entry| entry.whole(0..=4_294_967_294));
    let (uid, gid) = (id(table.take("uid")), id(table.take("gid")));
    table.finish();
    Some(VolumeSettings {
        name: name?,
        target: target?,
        container: container?,
        read_only: read_only?,
        scope: scope?,
        keep: keep?,
        size: size?,
        mode: mode?,
        uid: uid?,
        gid: gid?,
    })
}

/// The container that has the volume, one of the template's. `None` only after a fault.
fn read_container(table: &mut Table<'_>, sidecars: &[SidecarSettings]) -> Option<ContainerName> {
    let Some(entry) = table.take("container") else {
        return Some(ContainerName::MAIN);
    };
    let find = |text: &str| {
        let named: ContainerName = text.parse().ok()?;
        let is_there = named.is_main() || sidecars.iter().any(|sidecar| sidecar.name == named);
        is_there.then_some(named)
    };
    entry.look_up(find, |text| {
        let what = format!("there is no container {text:?}");
        (
            what,
            "write \"main\", or the name of one of its [[container]] tables".to_owned(),
        )
    })
}

/// `"forever"`, `{ after_lease = "1h" }` or `{ unused = "30d" }`. `None` only after a fault.
fn read_keep(entry: Entry<'_>) -> Option<Keep> {
    const REMEDY: &str = "write \"forever\", { after_lease = \"1h\" } or { unused = \"30d\" }";
    if entry.is_word("forever") {
        return Some(Keep::Forever);
    }
    if !entry.is_table() {
        entry.fault("is no rule that is known here", REMEDY);
        return None;
    }
    let mut table = entry.table()?;
    let (after_lease, unused) = (table.take("after_lease"), table.take("unused"));
    let keep = match (after_lease, unused) {
        (Some(entry), None) => entry.lifespan(Duration::ZERO..=LONGEST).map(Keep::AfterLease),
        (None, Some(entry)) => entry.lifespan(Duration::ZERO..=LONGEST).map(Keep::Unused),
        (Some(entry), Some(_)) => {
            entry.fault("conflicts with `unused`", "keep one of the two");
            None
        }
        (None, None) => {
            table.fault("unused", "is missing", REMEDY);
            None
        }
    };
    table.finish();
    keep
}

fn parse_name(text: &str) -> Result<String, String> {
    match is_name(text) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{text:?} cannot be the name of a volume: it is a small letter and then at most 31 small letters, digits, \
             \"-\" and \"_\""
        )),
    }
}

fn parse_limit(text: &str) -> Result<u64, String> {
    let bytes = parse_size(text).map_err(|error| error.to_string())?;
    match (1 << 20..=16 << 40).contains(&bytes) {
        true => Ok(bytes),
        false => Err(format!("{text} is out of bounds")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::template::{TemplateSettings, read_template};

    fn read(volume: serde_json::Value) -> Result<TemplateSettings, Vec<String>> {
        let settings = crate::parse("", std::iter::empty()).unwrap();
        let keys = json!({"image": "web", "container": [{"name": "proxy", "image": "a"}], "volume": volume});
        read_template("web", &keys, &settings).map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_volume_is_of_its_slot_and_kept_for_ever_unless_it_says_otherwise() {
        let volumes = read(json!([
            {"name": "data", "target": "/data"},
            {"name": "home", "target": "/home", "container": "proxy", "read_only": true, "scope": "client",
             "keep": {"after_lease": "1h"}, "size": "1GiB", "mode": "0700", "uid": 999, "gid": 998},
            {"name": "cache", "target": "/cache", "keep": {"unused": "30d"}},
        ]));
        let volumes = volumes.unwrap().volumes;
        assert_eq!(
            (volumes[0].scope, volumes[0].keep, volumes[0].size),
            (VolumeScope::Slot, Keep::Forever, None)
        );
        assert!(volumes[0].container.is_main() && !volumes[0].read_only);
        let home = &volumes[1];
        assert_eq!((home.scope, home.size), (VolumeScope::Client, Some(1 << 30)));
        assert_eq!((home.mode, home.uid, home.gid), (0o700, 999, 998));
        assert_eq!(home.keep, Keep::AfterLease(Duration::from_secs(3600)));
        assert_eq!(volumes[2].keep, Keep::Unused(30 * DAY));
    }

    #[test]
    fn a_volume_that_cannot_be_is_refused() {
        for (volume, expected) in [
            (json!({"target": "/a"}), "volume[0].name: is missing"),
            (json!({"name": "a"}), "volume[0].target: is missing"),
            (
                json!({"name": "../a", "target": "/a"}),
                "\"../a\" cannot be the name of a volume",
            ),
            (
                json!({"name": "a", "target": "/../a"}),
                "is not an absolute path inside the container",
            ),
            (
                json!({"name": "a", "target": "/a", "container": "log"}),
                "there is no container \"log\"",
            ),
            (
                json!({"name": "a", "target": "/a", "keep": "ever"}),
                "is no rule that is known here",
            ),
            (
                json!({"name": "a", "target": "/a", "keep": {}}),
                "keep.unused: is missing",
            ),
            (
                json!({"name": "a", "target": "/a", "keep": {"unused": "1h", "after_lease": "1h"}}),
                "conflicts with `unused`",
            ),
            (
                json!({"name": "a", "target": "/a", "size": "1KiB"}),
                "1KiB is out of bounds",
            ),
            (
                json!({"name": "a", "target": "/a", "scope": "link"}),
                "\"link\" is not known here",
            ),
            (
                json!({"name": "a", "target": "/a", "siz": "1GiB"}),
                "did you mean \"size\"?",
            ),
        ] {
            let faults = read(json!([volume])).unwrap_err().join("\n");
            assert!(faults.contains(expected), "{volume}: {faults}");
        }
        let volume = |name: &str, target: &str| json!({"name": name, "target": target});
        for (two, expected) in [
            (
                json!([volume("a", "/a"), volume("a", "/b")]),
                "has two volumes named \"a\"",
            ),
            (json!([volume("a", "/a"), volume("b", "/a")]), "has two volumes at /a"),
        ] {
            let faults = read(two).unwrap_err().join("\n");
            assert!(faults.contains(expected), "{faults}");
        }
    }
}
