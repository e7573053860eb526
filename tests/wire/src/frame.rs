//! DHCPv6 in Ethernet frames, as a packet socket shows them.

/// The DHCPv6 message of an Ethernet frame that carries one directly in IPv6 and UDP, to port 546 or 547.
pub fn in_frame(frame: &[u8]) -> Option<&[u8]> {
    const IPV6: [u8; 2] = [0x86, 0xdd];
    const UDP: u8 = 17;
    let (ethernet, packet) = frame.split_at_checked(14)?;
    let (ip, datagram) = packet.split_at_checked(40)?;
    let (udp, message) = datagram.split_at_checked(8)?;
    let port = u16::from_be_bytes([udp[2], udp[3]]);
    let is_dhcp = ethernet[12..] == IPV6 && ip[6] == UDP && matches!(port, 546 | 547);
    (is_dhcp && !message.is_empty()).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SOLICIT;

    #[test]
    fn only_dhcpv6_counts() {
        let mut frame = [0; 14 + 40 + 8 + 4];
        frame[12..14].copy_from_slice(&[0x86, 0xdd]);
        frame[14 + 6] = 17;
        frame[14 + 40 + 2..14 + 40 + 4].copy_from_slice(&547u16.to_be_bytes());
        frame[14 + 40 + 8] = SOLICIT;
        assert_eq!(in_frame(&frame), Some(&[SOLICIT, 0, 0, 0][..]));
        assert_eq!(in_frame(&frame[..14 + 40 + 8]), None);
        frame[14 + 40 + 3] = 53;
        assert_eq!(in_frame(&frame), None);
    }
}
