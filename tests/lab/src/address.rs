//! An interface's IPv6 address, as the kernel tells.

use std::net::Ipv6Addr;

/// Duplicate address detection found somebody else (IFA_F_DADFAILED).
const DAD_FAILED: u8 = 0x08;
/// Duplicate address detection has not ended (IFA_F_TENTATIVE).
const TENTATIVE: u8 = 0x40;

/// An IPv6 address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: Ipv6Addr,
    /// Its prefix, in bits. DHCPv6 clients install what they lease with 128.
    pub prefix: u8,
    /// Whether it can be used: duplicate address detection has ended well.
    pub usable: bool,
}

impl Address {
    /// A line of `/proc/net/if_inet6`: the interface's name, and the address.
    pub(crate) fn parse(line: &str) -> Option<(&str, Self)> {
        let fields: Vec<_> = line.split_whitespace().collect();
        let &[ip, _index, prefix, _scope, flags, name] = fields.as_slice() else {
            return None;
        };
        let ip = Ipv6Addr::from_bits(u128::from_str_radix(ip, 16).ok()?);
        let prefix = u8::from_str_radix(prefix, 16).ok()?;
        let flags = u8::from_str_radix(flags, 16).ok()?;
        Some((
            name,
            Self {
                ip,
                prefix,
                usable: flags & (DAD_FAILED | TENTATIVE) == 0,
            },
        ))
    }

    /// Whether it came by DHCPv6.
    pub fn is_leased(&self) -> bool {
        self.prefix == 128
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernels_table() {
        let parse = |flags| Address::parse(flags).unwrap();
        let line = "fd000001000000000000000000010002 1f 80 00 c0     eth0";
        let ip = "fd00:1::1:2".parse().unwrap();
        assert_eq!(
            parse(line),
            (
                "eth0",
                Address {
                    ip,
                    prefix: 128,
                    usable: false
                }
            )
        );
        assert_eq!(
            parse(&line.replace("c0", "80")),
            (
                "eth0",
                Address {
                    ip,
                    prefix: 128,
                    usable: true
                }
            )
        );
    }
}
