//! Bodies that come in chunks.

use std::io::{BufRead, ErrorKind, Read, Result};

/// A chunked body (RFC 9112, section 7.1) as the bytes it stands for.
pub(super) struct Chunks<R> {
    inner: R,
    left: u64,
    ended: bool,
}

impl<R: BufRead> Chunks<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            left: 0,
            ended: false,
        }
    }

    fn next_chunk(&mut self) -> Result<()> {
        let mut line = String::new();
        // An empty line ends the chunk before; the first chunk has none.
        while line.trim_end().is_empty() {
            line.clear();
            if self.inner.read_line(&mut line)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let size = line.trim_end().split(';').next().unwrap_or_default();
        self.left = u64::from_str_radix(size, 16).map_err(|_| ErrorKind::InvalidData)?;
        self.ended = self.left == 0;
        Ok(())
    }
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.left == 0 && !self.ended {
            self.next_chunk()?;
        }
        if self.ended {
            return Ok(0);
        }
        let read = (&mut self.inner).take(self.left).read(buffer)?;
        if read == 0 && !buffer.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}
