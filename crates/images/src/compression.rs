//! Decompresses streams, whose compression is detected by their first bytes.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

/// The first bytes of gzip.
const GZIP: &[u8] = &[0x1f, 0x8b];
/// The first bytes of a frame of zstd.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The largest zstd window that is accepted, as a power of two: 128 MiB of memory.
const LARGEST_WINDOW: u32 = 27;
/// The size of the read buffer, in bytes.
const BUFFER: usize = 64 << 10;

/// The decompressed content of a stream, which may use gzip, zstd or no compression.
///
/// # Errors
///
/// When the stream cannot be read.
pub(crate) fn decompress<'a>(stream: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut stream = BufReader::with_capacity(BUFFER, stream);
    // The first read of a stream may be short.
    let mut head = Vec::with_capacity(ZSTD.len());
    stream.by_ref().take(4).read_to_end(&mut head)?;
    let is_gzip = head.starts_with(GZIP);
    let is_zstd = head.starts_with(ZSTD);
    let whole = io::Cursor::new(head).chain(stream);
    if is_gzip {
        return Ok(Box::new(MultiGzDecoder::new(whole)));
    }
    if is_zstd {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(whole)?;
        decoder.window_log_max(LARGEST_WINDOW)?;
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(whole))
}

/// Ends with an error once more than the allowed number of bytes came. [`is_over`] recognizes the error.
pub(crate) struct Bounded<R> {
    inner: R,
    left: u64,
}

/// The error of a [`Bounded`] stream.
#[derive(Debug, thiserror::Error)]
#[error("it is larger than allowed")]
struct Over;

impl<R: Read> Bounded<R> {
    pub(crate) fn new(inner: R, limit: u64) -> Self {
        Self { inner, left: limit }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let count = u64::try_from(read).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(count).ok_or_else(|| io::Error::other(Over))?;
        Ok(read)
    }
}

/// Whether a stream ended with an error because it was larger than allowed.
pub(crate) fn is_over(error: &io::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = error.get_ref().map(|inner| inner as _);
    while let Some(error) = cause {
        if error.is::<Over>() {
            return true;
        }
        // An `io::Error` hands out what is inside of it as itself, not as its source.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner as _),
            None => error.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        decompress(bytes)?.read_to_end(&mut content)?;
        Ok(content)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn each_compression_is_known_in_one_frame_or_in_several() {
        let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
        for bytes in [&b""[..], b"a", b"abc", b"some content"] {
            assert_eq!(read(bytes).unwrap(), bytes);
            assert_eq!(read(&gzip(bytes)).unwrap(), bytes);
            assert_eq!(read(&zstd(bytes)).unwrap(), bytes);
        }
        assert_eq!(read(&[gzip(b"one"), gzip(b"two")].concat()).unwrap(), b"onetwo");
        assert_eq!(read(&[zstd(b"one"), zstd(b"two")].concat()).unwrap(), b"onetwo");
        read(&gzip(b"cut short")[..12]).unwrap_err();
        read(&zstd(b"cut short")[..8]).unwrap_err();
    }

    #[test]
    fn a_bomb_ends_at_the_limit() {
        let bomb = gzip(&vec![0; 1 << 20]);
        let mut stream = Bounded::new(decompress(&bomb[..]).unwrap(), 1 << 10);
        let fault = io::copy(&mut stream, &mut io::sink()).unwrap_err();
        assert!(is_over(&fault), "{fault}");
        assert!(is_over(&io::Error::other(fault)), "also inside of another");
        assert!(!is_over(&io::Error::other("something else")));
        let mut exact = Bounded::new(&b"1234"[..], 4);
        assert_eq!(io::copy(&mut exact, &mut io::sink()).unwrap(), 4);
    }
}
