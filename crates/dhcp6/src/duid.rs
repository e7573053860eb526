//! Identities on the wire: DUID, IAID, link-layer address.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A DHCP unique identifier (RFC 9915, section 11): opaque, and only compared for equality.
///
/// It has two bytes of type and 1 to 128 bytes of identifier. It is shown as hexadecimal bytes with colons. Clones
/// share the bytes, so that all bindings of a client hold them once.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Duid(Arc<[u8]>);

/// An identity association identifier (RFC 9915, section 12). The client chooses it, unique among its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Iaid(pub u32);

/// A link-layer address of 1 to 20 bytes (six on Ethernet). It is shown as hexadecimal bytes with colons.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkLayerAddress(Arc<[u8]>);

/// The text or the bytes are not such an identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not hexadecimal bytes with colons between them.
    #[error("{0:?} is not hexadecimal bytes with colons between them, like 00:03:00:01:02:00:5e:10:00:01")]
    NotHex(String),
    /// Too short or too long.
    #[error("{what} has {length} bytes; it takes {least} to {most}")]
    Length {
        /// The kind of identity.
        what: &'static str,
        /// The number of bytes.
        length: usize,
        /// The smallest number of bytes.
        least: usize,
        /// The largest number of bytes.
        most: usize,
    },
}

macro_rules! hex_bytes {
    ($type:ident, $what:literal, $least:literal, $most:literal) => {
        impl $type {
            #[doc = concat!("Takes the bytes of a ", $what, ".")]
            ///
            /// # Errors
            ///
            /// When there are too few or too many.
            pub fn new(bytes: impl Into<Arc<[u8]>>) -> Result<Self, IdentityError> {
                let bytes = bytes.into();
                if ($least..=$most).contains(&bytes.len()) {
                    Ok(Self(bytes))
                } else {
                    Err(IdentityError::Length {
                        what: $what,
                        length: bytes.len(),
                        least: $least,
                        most: $most,
                    })
                }
            }

            /// The bytes as they are on the wire.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for (index, byte) in self.0.iter().enumerate() {
                    if index > 0 {
                        f.write_str(":")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $type {
            type Err = IdentityError;

            fn from_str(text: &str) -> Result<Self, IdentityError> {
                let bytes: Option<Vec<u8>> = text
                    .split(':')
                    .map(|pair| {
                        let hex = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
                        if hex {
                            u8::from_str_radix(pair, 16).ok()
                        } else {
                            None
                        }
                    })
                    .collect();
                Self::new(bytes.ok_or_else(|| IdentityError::NotHex(text.to_owned()))?)
            }
        }

        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_bytes!(Duid, "a DUID", 3, 130);
hex_bytes!(LinkLayerAddress, "a link-layer address", 1, 20);

impl Duid {
    /// The link-layer address inside a DUID-LLT or DUID-LL (RFC 9915, sections 11.2 and 11.4).
    ///
    /// It is only shown to people and matched by rules, because a client may carry its DUID to another interface.
    pub fn link_layer(&self) -> Option<LinkLayerAddress> {
        let address = match self.as_bytes() {
            [0, 1, _, _, _, _, _, _, address @ ..] | [0, 3, _, _, address @ ..] => address,
            _ => return None,
        };
        LinkLayerAddress::new(address).ok()
    }
}

/// Allows to look up bytes of a message in a map with DUIDs as keys.
impl Borrow<[u8]> for Duid {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let duid: Duid = "00:03:00:01:02:00:5e:10:00:01".parse().unwrap();
        assert_eq!(duid.as_bytes(), [0, 3, 0, 1, 2, 0, 0x5e, 0x10, 0, 1]);
        assert_eq!(duid.to_string(), "00:03:00:01:02:00:5e:10:00:01");
    }

    #[test]
    fn bounds_are_kept() {
        assert!(Duid::new([0; 2]).is_err());
        assert!(Duid::new([0; 3]).is_ok());
        assert!(Duid::new([0; 130]).is_ok());
        assert!(Duid::new([0; 131]).is_err());
    }

    #[test]
    fn link_layer_addresses_inside() {
        let inside = |text: &str| {
            text.parse::<Duid>()
                .unwrap()
                .link_layer()
                .map(|address| address.to_string())
        };
        assert_eq!(
            inside("00:03:00:01:02:00:5e:10:00:01").as_deref(),
            Some("02:00:5e:10:00:01")
        );
        assert_eq!(
            inside("00:01:00:01:1c:39:cf:88:08:00:27:fe:8f:95").as_deref(),
            Some("08:00:27:fe:8f:95")
        );
        assert_eq!(inside("00:02:00:00:ab:11:01"), None);
        assert_eq!(inside("00:03:00:01"), None);
        assert_eq!(inside("00:01:00:01:1c:39"), None);
    }

    #[test]
    fn what_is_not_hex_is_refused() {
        for text in ["", "00:1", "00:+1:22", "00 01 02", "zz:00:11", "00:01:02:"] {
            assert!(matches!(text.parse::<Duid>(), Err(IdentityError::NotHex(_))), "{text}");
        }
    }
}
