//! What is kept of a container on disk, so that a killed helper or shim is followed by one that goes on.
//!
//! ```text
//!   STATE/containers/REFERENCE/   record.json    what it is: written once by the helper, before anything is made
//!                                 state.json     what became of it: written by its shim, before and after each step
//!                                 shim.lock      locked by its shim for as long as that lives
//!                                 files.json     files that are written into it before its first start
//!                                 upper, work    what it wrote (overlayfs)
//!                                 log/0, log/1   what it said: the newer and the older part
//!                                 config.json, rootfs, runc, pid, …    of the present run; made anew at each start
//!   STATE/removing/REFERENCE      is being deleted
//!   STATE/volumes/NAME            volumes that containers name
//! ```
//!
//! Every file is replaced by renaming another over it, so that a reader finds the old one or the new one, whole.

mod atomic;
mod directory;
mod phase;
mod record;

pub(crate) use atomic::{read_json, write_json};
pub(crate) use directory::{Directory, Place};
pub(crate) use phase::Phase;
pub(crate) use record::{NetworkRecord, Owner, Record};
