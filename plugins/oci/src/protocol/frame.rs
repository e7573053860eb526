//! Frames: pieces of several streams on one connection.
//!
//! ```text
//!   1 byte    4 bytes, most significant first    that many bytes
//!   kind      length                             payload
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};
use orchestrator_plugin::TerminalSize;

/// The largest payload of a frame in bytes. A longer piece is sent in several frames.
pub const FRAME_LIMIT: usize = 64 << 10;

const HEAD: usize = 5;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Bytes for the standard input, or typed on the terminal.
    Input(Bytes),
    /// The end of the standard input.
    InputEnd,
    /// The terminal has another size.
    Resize(TerminalSize),
    /// Bytes from the standard output, or from the terminal.
    Stdout(Bytes),
    /// Bytes from the standard error.
    Stderr(Bytes),
    /// The command has ended with this code. Nothing follows.
    Exit(i64),
}

/// What came is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The kind is not known.
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    /// The length does not fit the kind, or is beyond the limit.
    #[error("a frame of kind {kind} with a payload of {length} bytes")]
    Length {
        /// The kind.
        kind: u8,
        /// The length that it claims.
        length: usize,
    },
}

impl Frame {
    fn kind(&self) -> u8 {
        match self {
            Self::Input(_) => 0,
            Self::InputEnd => 1,
            Self::Resize(_) => 2,
            Self::Stdout(_) => 3,
            Self::Stderr(_) => 4,
            Self::Exit(_) => 5,
        }
    }

    /// The bytes of the frame.
    pub fn encode(&self) -> Bytes {
        let payload = match self {
            Self::Input(bytes) | Self::Stdout(bytes) | Self::Stderr(bytes) => bytes.clone(),
            Self::InputEnd => Bytes::new(),
            Self::Resize(size) => {
                let mut bytes = BytesMut::with_capacity(4);
                bytes.put_u16(size.columns);
                bytes.put_u16(size.rows);
                bytes.freeze()
            }
            Self::Exit(code) => Bytes::copy_from_slice(&code.to_be_bytes()),
        };
        let mut frame = BytesMut::with_capacity(HEAD + payload.len());
        frame.put_u8(self.kind());
        frame.put_u32(u32::try_from(payload.len()).unwrap_or(u32::MAX));
        frame.put(payload);
        frame.freeze()
    }

    fn decode(kind: u8, payload: Bytes) -> Result<Self, FrameError> {
        let length = payload.len();
        let fault = || FrameError::Length { kind, length };
        Ok(match kind {
            0 => Self::Input(payload),
            1 if length == 0 => Self::InputEnd,
            2 if length == 4 => {
                let mut payload = payload;
                Self::Resize(TerminalSize {
                    columns: payload.get_u16(),
                    rows: payload.get_u16(),
                })
            }
            3 => Self::Stdout(payload),
            4 => Self::Stderr(payload),
            5 => Self::Exit(i64::from_be_bytes(payload.as_ref().try_into().map_err(|_| fault())?)),
            1 | 2 => return Err(fault()),
            other => return Err(FrameError::Kind(other)),
        })
    }
}

/// Cuts bytes into frames, wherever they were cut on their way.
#[derive(Debug, Default)]
pub struct Decoder {
    rest: BytesMut,
}

impl Decoder {
    /// Takes more bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    /// The next whole frame; `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// When the bytes are no frames. Nothing that follows can be read then.
    pub fn take(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(head) = self.rest.get(..HEAD) else {
            return Ok(None);
        };
        let kind = head[0];
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length > FRAME_LIMIT {
            return Err(FrameError::Length { kind, length });
        }
        if self.rest.len() < HEAD + length {
            return Ok(None);
        }
        self.rest.advance(HEAD);
        let payload = self.rest.split_to(length).freeze();
        Frame::decode(kind, payload).map(Some)
    }

    /// Whether all bytes were used: a stream that ends here was not cut in the middle of a frame.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Frame> {
        vec![
            Frame::Input(Bytes::from_static(b"in")),
            Frame::InputEnd,
            Frame::Resize(TerminalSize { columns: 80, rows: 24 }),
            Frame::Stdout(Bytes::from_static(b"out")),
            Frame::Stderr(Bytes::new()),
            Frame::Exit(-1),
        ]
    }

    #[test]
    fn frames_come_out_as_they_went_in_wherever_they_were_cut() {
        let bytes: Vec<u8> = all().iter().flat_map(|frame| frame.encode().to_vec()).collect();
        for size in [1, 2, 3, 7, bytes.len()] {
            let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
            for piece in bytes.chunks(size) {
                decoder.feed(piece);
                while let Some(frame) = decoder.take().unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames, all(), "cut every {size} bytes");
            assert!(decoder.is_empty());
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bytes in [
            &[9, 0, 0, 0, 0][..],
            &[0, 1, 0, 0, 0],
            &[1, 0, 0, 0, 1, 0],
            &[2, 0, 0, 0, 2, 0, 0],
            &[5, 0, 0, 0, 1, 0],
        ] {
            let mut decoder = Decoder::default();
            decoder.feed(bytes);
            decoder.take().unwrap_err();
        }
    }
}
