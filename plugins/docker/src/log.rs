//! The limit on what the engine keeps of a container's output.

use crate::Dialect;

/// The limit on the stored output of one container: at most `size` times `files`, in bytes.
///
/// When a file is full, the next one begins, and the oldest is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimit {
    /// Size of one file, in bytes.
    pub size: u64,
    /// The number of files: at least two with Docker, which lets a single file grow beyond its size. Podman has one
    /// file, and starts it again when it is full.
    pub files: u32,
}

impl Default for LogLimit {
    fn default() -> Self {
        Self::of(Dialect::default())
    }
}

impl LogLimit {
    /// The default of this dialect: 2 MiB for each container.
    pub fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Docker => Self {
                size: 1 << 20,
                files: 2,
            },
            Dialect::Podman => Self {
                size: 2 << 20,
                files: 1,
            },
        }
    }

    /// The size as the engine reads it. Its units are powers of ten, so that a file is never larger than asked for.
    pub(crate) fn engine_size(&self) -> String {
        for (shift, unit) in [(20, "m"), (10, "k")] {
            if self.size.is_multiple_of(1 << shift) {
                return format!("{}{unit}", self.size >> shift);
            }
        }
        self.size.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_written_in_the_largest_unit_that_fits() {
        let written = |size| LogLimit { size, files: 1 }.engine_size();
        assert_eq!(written(1 << 20), "1m");
        assert_eq!(written(64 << 10), "64k");
        assert_eq!(written(1000), "1000");
    }
}
