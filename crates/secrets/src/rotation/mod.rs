//! Rotation: of the sealing key, and of the certificate authority.

mod authority;
mod key;

pub use authority::RotatedAuthority;
pub use key::{RotatedKey, rotate_key};
