//! The protocol between the plugin and its helper: HTTP/1.1 on a unix socket, with JSON and two kinds of streams.
//!
//! ```text
//!   GET  /version        which versions of the protocol the helper speaks          Version
//!   POST /v1/VERB        one question, one answer                                  a request → its answer or a Fault
//!   POST /v1/ensure/early the answer's body is a line of JSON for each step        Ensuring
//!   POST /v1/logs        the answer's body is a stream of frames                   Frame
//!   POST /v1/exec        101, then frames both ways                                Frame
//!   POST /v1/files/…     a tar archive in the body of the answer or of the request
//!   POST /v1/images/load a tar archive in the body of the request
//!   POST /v1/watch       the answer's body is a line of JSON for each change       Happening
//! ```
//!
//! What changes in an incompatible way gets another version. The plugin asks for the versions once, and again when the
//! helper does not know the one that it uses.

mod fault;
mod frame;
mod request;
mod state;

pub use fault::{Fault, Verb};
pub use frame::{Decoder, FRAME_LIMIT, Frame, FrameError};
pub use request::{
    Command, DiskAnswer, EnsureRequest, Ensuring, EnvironmentRequest, ExecOf, Facts, FilesRequest, Happening,
    ImageAnswer, ImageEntry, ImageRequest, LayersRequest, LoadRequest, LogBounds, LogsRequest, Network, SiteRequest,
    StatsAnswer, Target, TargetRequest, Version,
};
pub use state::{FoundAnswer, RunningAnswer, RunningIn, State};

/// The version of the protocol that this code speaks.
pub const VERSION: u32 = 1;

/// The word of the `Upgrade` header for a connection that carries frames.
pub const UPGRADE: &str = "orchestrator-frames";

/// The header that carries the request as JSON where the body is an archive.
pub const REQUEST_HEADER: &str = "x-orchestrator-request";
