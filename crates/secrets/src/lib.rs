//! The one room for secrets: values that are sealed in the database, and the key that opens them.
//!
//! ```text
//!   key file ── sealing key ──▶ Room ◀── sealed rows ── database
//!   (0600, never in a backup)    │        (in every backup)
//!                                ├─▶ secrets by name
//!                                ├─▶ SSH host keys of instances
//!                                ├─▶ tokens of callers and instances, and keys that sign requests
//!                                └─▶ the certificate authority ──▶ certificates of servers and clients
//! ```
//!
//! Invariants:
//!
//! - The sealing key is 32 random bytes in a file of its own. It is made once, when there is neither a file nor anything
//!   sealed, and it is never derived from anything.
//! - While the database holds anything sealed, no other key is made: a missing or foreign key file is a fault.
//! - All rows are sealed with one key. A row named `seal` is its witness: every write compares it in its transaction.
//! - A sealed value opens only under the purpose and the name that it was sealed for.
//! - Rotation of the key loses nothing, wherever it is interrupted: the file holds the old key and the new one from
//!   before the transaction until after it.
//! - Secret bytes are wiped from memory when they are dropped, and are never shown.

mod authority;
mod error;
mod hex;
mod key;
mod restore;
mod room;
mod rotation;
mod secret;
mod ssh;
mod tokens;

pub use authority::{CertificateRequest, Issued, KeptCertificate, Purpose, State, new_private_key, signing_request};
pub use error::SecretsError;
pub use key::{KeyFile, KeyFileFault, KeyId, Keys, OpenFault, Place, SealingKey};
pub use restore::BackupCheck;
pub use room::{Listed, Room, Usage, find_key};
pub use rotation::{RotatedAuthority, RotatedKey, rotate_key};
pub use secret::Secret;
pub use ssh::{HostKey, HostKeys};
pub use tokens::{Denied, Granted, InstanceTokens, NewToken, Scope, ScopeError, SignedRequest, Tokens};
