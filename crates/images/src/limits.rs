//! Limits on what an image may be.

/// Limits on what is taken from an archive or a registry. What exceeds one is refused, and nothing of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an archive, as it comes.
    pub archive_bytes: u64,
    /// Blobs in an archive: layers, configurations and manifests.
    pub blobs: usize,
    /// Bytes of a manifest, an index or a configuration.
    pub document_bytes: u64,
    /// Layers of an image. The kernel takes about five hundred in one overlay.
    pub layers: usize,
    /// Bytes of one layer when it is unpacked.
    pub layer_bytes: u64,
    /// Entries of one layer.
    pub entries: u64,
    /// Bytes of the extended headers of one entry.
    pub header_bytes: u64,
    /// Directories above one entry.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            archive_bytes: 32 << 30,
            blobs: 4096,
            document_bytes: 4 << 20,
            layers: 256,
            layer_bytes: 16 << 30,
            entries: 1_000_000,
            header_bytes: 1 << 20,
            depth: 128,
        }
    }
}
