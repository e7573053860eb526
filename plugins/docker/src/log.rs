//! The limit on what the engine keeps of a container's output.

use crate::Dialect;

/// How much the engine keeps of the output of one container: at most `size` times `files`, in bytes.
///
/// When a file is full the next one begins, and the oldest goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimit {
    /// Size of one file, in bytes.
    pub size: u64,
    /// Files: at least two with Docker, which keeps more than the size of a file that is alone. Podman has one, and begins
    /// it anew when it is full.
    pub files: u32,
}

impl Default for LogLimit {
    fn default() -> Self {
        Self::of(Dialect::default())
    }
}

impl LogLimit {
    /// 2 MiB for each container: what an engine of this dialect keeps when nobody says otherwise.
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
