//! `name`: what a service is called, in names of DNS, too.

use orchestrator_settings::Table;

/// The longest name, in bytes. With a slot's number and a suffix it still is one label of DNS.
const LONGEST: usize = 40;
const REMEDY: &str =
    "take a small letter, and then at most 39 small letters, digits and \"-\", with no \"-\" at the end";

/// Whether a service may have this name: a label of DNS in small letters (RFC 1123 §2.1) that begins with a letter and has
/// at most 40 bytes.
pub fn is_service_name(name: &str) -> bool {
    name.len() <= LONGEST && name.starts_with(|first: char| first.is_ascii_lowercase()) && is_label(name)
}

/// Whether this is a label of DNS in small letters.
pub(super) fn is_label(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let edges = !text.starts_with('-') && !text.ends_with('-');
    (1..=63).contains(&text.len()) && edges && text.bytes().all(known)
}

pub(super) fn read(table: &mut Table<'_>) -> Option<String> {
    table
        .need("name", REMEDY)?
        .parse(REMEDY, |text| match is_service_name(text) {
            true => Ok(text.to_owned()),
            false => Err(format!("{text:?} cannot be the name of a service")),
        })
}
