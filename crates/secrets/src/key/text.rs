//! The text of a key file.
//!
//! ```text
//! # The sealing key of an orchestrator. …
//! orchestrator-sealing-keys 1
//! key 3f9a2c01d2e4b5a6 64 hexadecimal digits
//! ```

use zeroize::Zeroizing;

use super::{KEY_BYTES, Keys, SealingKey};
use crate::hex;

const HEAD: &str = "\
# The sealing key of an orchestrator: it opens the secrets in the database, and nobody can make it again.
# Keep it secret. Keep a copy of it apart from the backups of the database, which hold the secrets sealed.
";
const FORMAT: &str = "orchestrator-sealing-keys 1";

/// The text of the file.
pub(super) fn write(keys: &Keys) -> Zeroizing<String> {
    let mut text = Zeroizing::new(format!("{HEAD}{FORMAT}\n"));
    for key in keys.iter() {
        let digits = Zeroizing::new(hex::encode(key.bytes()));
        text.push_str(&format!("key {} ", key.id()));
        text.push_str(&digits);
        text.push('\n');
    }
    text
}

/// The keys in the text. The error says what is wrong with it.
pub(super) fn read(text: &str) -> Result<Keys, &'static str> {
    let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    match lines.next() {
        None => return Err("it is empty"),
        Some(FORMAT) => {}
        Some(line) if line.starts_with("orchestrator-sealing-keys ") => return Err("a newer orchestrator wrote it"),
        Some(_) => return Err("it is no key file"),
    }
    let keys = lines.map(read_key).collect::<Result<Vec<_>, _>>()?;
    Keys::of(keys).ok_or("it holds no key")
}

fn read_key(line: &str) -> Result<SealingKey, &'static str> {
    let fields = line.strip_prefix("key ").and_then(|rest| rest.split_once(' '));
    let (id, digits) = fields.ok_or("a line of it holds no key")?;
    let bytes = hex::decode(digits)
        .map(Zeroizing::new)
        .ok_or("a key of it is damaged")?;
    if bytes.len() != KEY_BYTES {
        return Err("a key of it is damaged");
    }
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    key.copy_from_slice(&bytes);
    let key = SealingKey::of(key);
    if key.id().to_string() != id {
        return Err("a key of it is damaged");
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_in_their_order() {
        let [old, new] = [(); 2].map(|()| SealingKey::generate().unwrap());
        let keys = Keys::both(new, old);
        assert_eq!(read(&write(&keys)), Ok(keys));
    }

    #[test]
    fn what_is_damaged_is_no_key() {
        let text = write(&Keys::one(SealingKey::generate().unwrap())).to_string();
        for place in text.find("\nkey ").unwrap() + 5..text.len() - 1 {
            let mut damaged = text.clone().into_bytes();
            damaged[place] = if damaged[place] == b'0' { b'1' } else { b'0' };
            assert!(read(str::from_utf8(&damaged).unwrap()).is_err(), "byte {place}");
        }
        for length in 0..text.len() - 1 {
            assert!(read(&text[..length]).is_err(), "{length} bytes");
        }
        assert_eq!(
            read(&text.replace("keys 1", "keys 2")),
            Err("a newer orchestrator wrote it")
        );
        assert_eq!(read("site = 1\n"), Err("it is no key file"));
    }
}
