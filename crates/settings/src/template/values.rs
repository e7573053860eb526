//! `values` of a template: texts that the metadata service tells each of its instances.

use std::collections::BTreeMap;

use crate::reader::{Entry, Table};

/// The largest number of values of a template.
const MOST_VALUES: usize = 64;
/// The largest size of one value, in bytes.
const LARGEST_VALUE: usize = 16 * 1024;

/// Reads all values. Those with faults are left out.
pub(super) fn read(mut table: Table<'_>) -> BTreeMap<String, String> {
    let entries = table.drain();
    if entries.len() > MOST_VALUES {
        let what = format!("{} values are too many", entries.len());
        for (_, entry) in entries.iter().take(1) {
            entry.fault(what.as_str(), format!("take at most {MOST_VALUES}"));
        }
        return BTreeMap::new();
    }
    entries
        .into_iter()
        .filter_map(|(name, entry)| Some((read_name(name, &entry)?, read_text(entry)?)))
        .collect()
}

/// A name is a part of a path that an instance asks for.
fn read_name(name: String, entry: &Entry<'_>) -> Option<String> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_name = (1..=64).contains(&name.len()) && name.bytes().all(known) && !name.starts_with('.');
    if !is_name {
        entry.fault(
            format!("{name:?} cannot be the name of a value"),
            "take at most 64 letters, digits, \"-\", \"_\" and \".\", and no \".\" at the beginning",
        );
        return None;
    }
    Some(name)
}

fn read_text(entry: Entry<'_>) -> Option<String> {
    let fits = |text: &str| match text.len() <= LARGEST_VALUE {
        true => Ok(text.to_owned()),
        false => Err(format!("has {} bytes", text.len())),
    };
    entry.parse("take at most 16 KiB of text", fits)
}

#[cfg(test)]
mod tests {
    #[test]
    fn values_are_texts_under_names_that_a_path_can_have() {
        let of = |values: &str| {
            let text = format!("[template.a]\nimage = \"a\"\nvalues = {values}");
            crate::parse(&text, std::iter::empty())
        };
        let settings = of("{ greeting = \"hello\", \"user-data\" = \"#cloud-config\\n\" }").unwrap();
        let values = &settings.templates["a"].values;
        assert_eq!(values["greeting"], "hello");
        assert_eq!(values["user-data"], "#cloud-config\n");
        for (wrong, fault) in [
            ("{ \"a/b\" = \"x\" }", "cannot be the name of a value"),
            ("{ \"..\" = \"x\" }", "cannot be the name of a value"),
            ("{ a = 1 }", "text in quotes"),
        ] {
            let faults = of(wrong).unwrap_err().to_string();
            assert!(faults.contains(fault), "{faults}");
        }
        let long = "x".repeat(super::LARGEST_VALUE + 1);
        assert!(
            of(&format!("{{ a = \"{long}\" }}"))
                .unwrap_err()
                .to_string()
                .contains("16385 bytes")
        );
        let many: Vec<String> = (0..65).map(|number| format!("a{number} = \"\"")).collect();
        let faults = of(&format!("{{ {} }}", many.join(", "))).unwrap_err().to_string();
        assert!(faults.contains("65 values are too many"), "{faults}");
    }
}
