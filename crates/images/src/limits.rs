//! Limits on images.

/// Limits on archives and images of registries. Content that exceeds one is refused, and nothing of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The size of an archive, in bytes.
    pub archive_bytes: u64,
    /// The number of blobs in an archive: layers, configurations and manifests.
    pub blobs: usize,
    /// The size of a manifest, an index or a configuration, in bytes.
    pub document_bytes: u64,
    /// The number of layers of an image. The kernel accepts about five hundred in one overlay.
    pub layers: usize,
    /// The unpacked size of one layer, in bytes.
    pub layer_bytes: u64,
    /// The number of entries of one layer.
    pub entries: u64,
    /// The size of the extended headers of one entry, in bytes.
    pub header_bytes: u64,
    /// The number of directories above one entry.
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
