//! `[[template.NAME.file]]`: files that are written into a container before it starts.

use std::collections::BTreeSet;

use super::parse_inside;
use crate::environment_value::take_source;
use crate::reader::{Entry, Table};
use orchestrator_model::{File, FileContent};

/// The largest number of files of one container.
const MOST_FILES: usize = 64;

/// The longest content in the settings, in bytes. It is recorded with each instance.
const LONGEST_TEXT: usize = 64 << 10;

/// Reads all files. `None` only after a fault.
pub(super) fn read_all(table: &mut Table<'_>) -> Option<Vec<File>> {
    let Some(entry) = table.take("file") else {
        return Some(Vec::new());
    };
    let files = entry.list_of(MOST_FILES, |entry| entry.table().and_then(read))?;
    let mut targets = BTreeSet::new();
    match files.iter().find(|file| !targets.insert(&file.target)) {
        None => Some(files),
        Some(twice) => {
            let what = format!("has two files at {}", twice.target.display());
            table.fault("file", what, "give each a target of its own");
            None
        }
    }
}

/// Reads a file; `None` only after a fault.
fn read(mut table: Table<'_>) -> Option<File> {
    let target = table.need("target", "name the path inside, like \"/etc/app.conf\"");
    let target = target.and_then(|entry| entry.parse("write it like \"/etc/app.conf\"", parse_inside));
    let content = read_content(&mut table);
    let mode = match table.take("mode") {
        Some(entry) => entry.parse("write it in octal digits, like \"0640\"", parse_mode),
        None => Some(File::default_mode()),
    };
    let id = |entry: Option<Entry<'_>>| entry.map_or(Some(0), |entry| entry.whole(0..=2_097_151));
    let (uid, gid) = (id(table.take("uid")), id(table.take("gid")));
    table.finish();
    Some(File {
        target: target?,
        content: content?,
        mode: mode?,
        uid: uid?,
        gid: gid?,
    })
}

/// Reads one of `text`, `file` and `credential`. `None` only after a fault.
fn read_content(table: &mut Table<'_>) -> Option<FileContent> {
    let text = table.take("text");
    let has_source = table.has("file") || table.has("credential");
    match text {
        Some(entry) if has_source => {
            entry.fault("conflicts with `file` and `credential`", "keep one of the three");
            let _ = (table.take("file"), table.take("credential"));
            None
        }
        Some(entry) => entry
            .parse("name a `file` of this machine that holds it instead", parse_text)
            .map(FileContent::Text),
        None if !has_source => {
            table.fault(
                "text",
                "is missing",
                "write the content, or name the `file` or the `credential` that holds it",
            );
            let _ = (table.take("file"), table.take("credential"));
            None
        }
        None => take_source(table).map(FileContent::From),
    }
}

fn parse_text(text: &str) -> Result<String, String> {
    match text.len() > LONGEST_TEXT {
        true => Err(format!("has {} bytes, and {LONGEST_TEXT} are the most", text.len())),
        false => Ok(text.to_owned()),
    }
}

/// Parses permission bits in octal digits.
pub(super) fn parse_mode(text: &str) -> Result<u32, String> {
    let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    match u32::from_str_radix(text, 8) {
        Ok(mode) if is_octal => Ok(mode),
        _ => Err(format!("{text:?} are no permission bits")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::template::{TemplateSettings, read_template};
    use orchestrator_model::{DeviceAccess, FileContent, ValueSource};

    fn read(keys: serde_json::Value) -> Result<TemplateSettings, Vec<String>> {
        let settings = crate::parse("", std::iter::empty()).unwrap();
        let mut all = json!({"image": "web"});
        all.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        read_template("web", &all, &settings).map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_file_has_a_path_inside_and_one_content() {
        let read = read(json!({"file": [
            {"target": "/etc/app.conf", "text": "a = 1\n"},
            {"target": "/etc/key", "credential": "key", "mode": "0600", "uid": 7, "gid": 8},
            {"target": "/etc/more", "file": "/srv/more"},
        ]}));
        let files = read.unwrap().main.files;
        assert_eq!((files[0].mode, files[0].uid, files[0].gid), (0o644, 0, 0));
        assert_eq!(files[0].content, FileContent::Text("a = 1\n".to_owned()));
        assert_eq!((files[1].mode, files[1].uid, files[1].gid), (0o600, 7, 8));
        let credential = ValueSource::Credential("key".to_owned());
        assert_eq!(files[1].content, FileContent::From(credential));
        assert_eq!(
            files[2].content,
            FileContent::From(ValueSource::File("/srv/more".into()))
        );
    }

    #[test]
    fn a_file_that_cannot_be_is_refused() {
        for (file, expected) in [
            (json!({"text": ""}), "file[0].target: is missing"),
            (
                json!({"target": "etc/a", "text": ""}),
                "is not an absolute path inside the container",
            ),
            (
                json!({"target": "/etc/../a", "text": ""}),
                "is not an absolute path inside the container",
            ),
            (
                json!({"target": "/", "text": ""}),
                "is not an absolute path inside the container",
            ),
            (
                json!({"target": "/a"}),
                "file[0].text: is missing; write the content, or name the `file`",
            ),
            (
                json!({"target": "/a", "text": "", "file": "/b"}),
                "conflicts with `file` and `credential`",
            ),
            (
                json!({"target": "/a", "file": "/b", "credential": "c"}),
                "conflicts with `credential`",
            ),
            (json!({"target": "/a", "file": "b"}), "not the absolute path of a file"),
            (
                json!({"target": "/a", "text": "", "mode": "999"}),
                "\"999\" are no permission bits",
            ),
            (
                json!({"target": "/a", "text": "", "mode": 420}),
                "file[0].mode: is a whole number",
            ),
            (json!({"target": "/a", "text": "", "uid": -1}), "-1 is out of bounds"),
            (
                json!({"target": "/a", "text": "x".repeat(65_537)}),
                "has 65537 bytes, and 65536 are the most",
            ),
            (json!({"target": "/a", "txt": ""}), "did you mean \"text\"?"),
        ] {
            let faults = read(json!({"file": [file]})).unwrap_err().join("\n");
            assert!(faults.contains(expected), "{file}: {faults}");
        }
        let twice = json!([{"target": "/a", "text": ""}, {"target": "/a", "text": "b"}]);
        assert_eq!(
            read(json!({"file": twice})).unwrap_err(),
            ["template.web.file: has two files at /a; give each a target of its own"]
        );
    }

    #[test]
    fn a_device_is_inside_where_it_is_outside_unless_another_place_is_given() {
        let devices = read(json!({"device": [
            {"source": "/dev/fuse"},
            {"source": "/dev/kvm", "target": "/dev/vm", "access": "read"},
        ]}));
        let devices = devices.unwrap().main.devices;
        assert_eq!(devices[0].target, devices[0].source);
        assert_eq!(devices[0].access, DeviceAccess::ReadWrite);
        assert_eq!(
            (devices[1].target.to_str(), devices[1].access),
            (Some("/dev/vm"), DeviceAccess::Read)
        );
        for (device, expected) in [
            (json!({}), "device[0].source: is missing"),
            (json!({"source": "dev/fuse"}), "not the absolute path of a file"),
            (
                json!({"source": "/dev/fuse", "access": "write"}),
                "\"write\" is not known here",
            ),
        ] {
            let faults = read(json!({"device": [device]})).unwrap_err().join("\n");
            assert!(faults.contains(expected), "{device}: {faults}");
        }
        let twice = json!([{"source": "/dev/fuse"}, {"source": "/dev/fuse"}]);
        assert_eq!(
            read(json!({"device": twice})).unwrap_err(),
            ["template.web.device: has two devices at /dev/fuse; give each a target of its own"]
        );
    }

    #[test]
    fn name_servers_are_addresses_and_few() {
        let resolver = read(json!({"resolver": {"servers": ["fd00::53", "192.0.2.53"], "search": ["example.org"]}}));
        let resolver = resolver.unwrap().resolver.unwrap();
        assert_eq!(
            resolver.servers,
            [
                "fd00::53".parse::<std::net::IpAddr>().unwrap(),
                "192.0.2.53".parse().unwrap()
            ]
        );
        assert_eq!(resolver.search, ["example.org"]);
        assert_eq!(read(json!({})).unwrap().resolver, None);
        for (resolver, expected) in [
            (json!({}), "resolver.servers: is missing; name at least one"),
            (
                json!({"servers": []}),
                "resolver.servers: names none; name at least one",
            ),
            (
                json!({"servers": ["dns.example.org"]}),
                "\"dns.example.org\" is not an address",
            ),
            (
                json!({"servers": ["::1", "::2", "::3", "::4"]}),
                "has 4 elements; give at most 3",
            ),
            (json!({"servers": ["::1"], "search": ["a b"]}), "resolver.search[0]"),
            (json!({"server": ["::1"]}), "did you mean \"servers\"?"),
        ] {
            let faults = read(json!({"resolver": resolver})).unwrap_err().join("\n");
            assert!(faults.contains(expected), "{resolver}: {faults}");
        }
    }
}
