//! Frames: several streams of bytes in one, in either direction.
//!
//! ```text
//!   0      1         4                    8
//!   ┌──────┬─────────┬────────────────────┬─ ─ ─ ─
//!   │ kind │ 0, 0, 0 │ length, big-endian │ payload
//!   └──────┴─────────┴────────────────────┴─ ─ ─ ─
//! ```
//!
//! The head is that of the streams of Docker's API.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The media type of a stream of frames.
pub const FRAMES: &str = "application/vnd.orchestrator.frames";

/// The largest payload of a frame, in bytes.
pub const LARGEST_FRAME: usize = 1 << 20;

/// The bytes before each payload.
const HEAD: usize = 8;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// Standard input of a command. An empty payload ends it.
    Input,
    /// Standard output.
    Output,
    /// Standard error.
    Error,
    /// JSON: how it ended. The last frame of an answer.
    End,
    /// JSON: what is asked for. The first frame of a request.
    Start,
    /// JSON: another size of the terminal.
    Size,
    /// A piece of a file that is uploaded.
    File,
}

impl FrameKind {
    const ALL: [Self; 7] = [
        Self::Input,
        Self::Output,
        Self::Error,
        Self::End,
        Self::Start,
        Self::Size,
        Self::File,
    ];

    const fn number(self) -> u8 {
        match self {
            Self::Input => 0,
            Self::Output => 1,
            Self::Error => 2,
            Self::End => 3,
            Self::Start => 4,
            Self::Size => 5,
            Self::File => 6,
        }
    }
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it holds.
    pub kind: FrameKind,
    /// Its payload, at most [`LARGEST_FRAME`] bytes.
    pub payload: Bytes,
}

impl Frame {
    /// A frame with this payload. A payload that is too large is cut.
    pub fn new(kind: FrameKind, payload: impl Into<Bytes>) -> Self {
        let mut payload = payload.into();
        payload.truncate(LARGEST_FRAME);
        Self { kind, payload }
    }

    /// Frames of one kind that hold all of these bytes. Empty bytes make no frame.
    pub fn split(kind: FrameKind, mut bytes: Bytes) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let length = bytes.len().min(LARGEST_FRAME);
            (length > 0).then(|| Self {
                kind,
                payload: bytes.split_to(length),
            })
        })
    }

    /// The bytes of the frame.
    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEAD + self.payload.len());
        bytes.put_u8(self.kind.number());
        bytes.put_bytes(0, 3);
        bytes.put_u32(u32::try_from(self.payload.len()).unwrap_or(u32::MAX));
        bytes.put_slice(&self.payload);
        bytes.freeze()
    }
}

/// Bytes that are no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a frame of kind {kind} with {length} bytes is none that is known here")]
pub struct NoFrame {
    kind: u8,
    length: u32,
}

/// Takes bytes as they arrive, and returns frames once they are complete.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    bytes: BytesMut,
}

impl FrameDecoder {
    /// Takes bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame; `None` until more bytes arrive.
    ///
    /// # Errors
    ///
    /// When the bytes are no frame. Then nothing after them can be read.
    pub fn take(&mut self) -> Result<Option<Frame>, NoFrame> {
        let Some(mut head) = self.bytes.get(..HEAD) else {
            return Ok(None);
        };
        let number = head.get_u8();
        head.advance(3);
        let length = head.get_u32();
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        let kind = FrameKind::ALL.into_iter().find(|kind| kind.number() == number);
        let Some(kind) = kind.filter(|_| size <= LARGEST_FRAME) else {
            return Err(NoFrame { kind: number, length });
        };
        if self.bytes.len() < HEAD + size {
            return Ok(None);
        }
        self.bytes.advance(HEAD);
        let payload = self.bytes.split_to(size).freeze();
        Ok(Some(Frame { kind, payload }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_wherever_the_stream_is_cut() {
        let frames = [
            Frame::new(FrameKind::Start, "{}"),
            Frame::new(FrameKind::Input, ""),
            Frame::new(FrameKind::Output, vec![7; 300]),
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.encode().to_vec()).collect();
        for size in 1..20 {
            let (mut decoder, mut read) = (FrameDecoder::default(), Vec::new());
            for piece in bytes.chunks(size) {
                decoder.feed(piece);
                while let Some(frame) = decoder.take().unwrap() {
                    read.push(frame);
                }
            }
            assert_eq!(read, frames);
        }
    }

    #[test]
    fn what_is_no_frame_is_refused_before_its_payload_is_kept() {
        for head in [[9, 0, 0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]] {
            let mut decoder = FrameDecoder::default();
            decoder.feed(&head);
            decoder.take().unwrap_err();
        }
    }

    #[test]
    fn large_bytes_are_split() {
        let frames: Vec<Frame> = Frame::split(FrameKind::File, vec![1; LARGEST_FRAME + 1].into()).collect();
        let lengths: Vec<usize> = frames.iter().map(|frame| frame.payload.len()).collect();
        assert_eq!(lengths, [LARGEST_FRAME, 1]);
        assert_eq!(Frame::split(FrameKind::File, Bytes::new()).count(), 0);
    }
}
