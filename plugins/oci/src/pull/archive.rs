//! The archive of an image in OCI's layout, piece by piece.

use std::io;

use serde_json::json;
use tar::{EntryType, Header};

use super::manifest::Descriptor;

/// The annotation with a complete name, as containerd writes it.
const NAME: &str = "io.containerd.image.name";

/// Two empty blocks end an archive.
pub(super) const END: [u8; 1024] = [0; 1024];

/// The block before the content of a file.
pub(super) fn header(path: &str, size: u64) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(path)?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(size);
    // Empty fields are no numbers.
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    Ok(header)
}

/// The bytes that fill the last block of a file of this size.
pub(super) fn padding(size: u64) -> &'static [u8] {
    let full = size.next_multiple_of(512) - size;
    END.get(..usize::try_from(full).unwrap_or(0)).unwrap_or_default()
}

/// The path of a blob.
pub(super) fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

/// The index of an archive of one image.
pub(super) fn index(manifest: &Descriptor, name: Option<&str>) -> Vec<u8> {
    let mut described = json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": manifest.digest,
        "size": manifest.size,
    });
    if let Some(name) = name {
        described["annotations"] = json!({ NAME: name });
    }
    json!({ "schemaVersion": 2, "manifests": [described] })
        .to_string()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_fills_whole_blocks() {
        for (size, expected) in [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)] {
            assert_eq!(padding(size).len(), expected, "{size}");
        }
        let digest = format!("sha256:{}", "0a".repeat(32));
        let header = header(&blob(&digest), 7).unwrap();
        let numbers = [header.size(), header.uid(), header.gid(), header.mtime()];
        assert_eq!(numbers.map(Result::unwrap), [7, 0, 0, 0]);
    }
}
