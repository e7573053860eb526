"""What a process tries: one action, given as arguments. Prints "done", or what it saw.

tcp FROM SPORT TO PORT SECONDS   connect; "connected" or "no: REASON"
udp FROM SPORT TO PORT HEX       send one datagram
ping TO HEX                      send an echo request
frame INTERFACE HEX              send a frame as it is (needs CAP_NET_RAW)

FROM is an address, its own or not, or "-" for what the kernel takes.
"""

import socket
import sys

FREEBIND = 78  # IPV6_FREEBIND: no capability is needed to bind an address that the host has not.


def bound(kind, source, port):
    one = socket.socket(socket.AF_INET6, kind)
    if source != "-":
        one.setsockopt(socket.IPPROTO_IPV6, FREEBIND, 1)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("::" if source == "-" else source, int(port)))
    return one


def place(address, port):
    """With a zone, as in fe80::1%eth1."""
    return socket.getaddrinfo(address.encode(), int(port), socket.AF_INET6, socket.SOCK_DGRAM)[0][4]


def tcp(source, sport, to, port, seconds):
    one = bound(socket.SOCK_STREAM, source, sport)
    one.settimeout(float(seconds))
    try:
        one.connect(place(to, port))
    except OSError as fault:
        return f"no: {fault}"
    return "connected"


def udp(source, sport, to, port, payload):
    one = bound(socket.SOCK_DGRAM, source, sport)
    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
    one.sendto(bytes.fromhex(payload), place(to, port))
    return "done"


def ping(to, payload):
    try:
        one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, 58)
    except PermissionError:  # Only groups of net.ipv4.ping_group_range may, and root by the other kind.
        one = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)
    one.sendto(bytes([128, 0, 0, 0, 0, 0, 0, 1]) + bytes.fromhex(payload), place(to, 0))
    return "done"


def frame(interface, octets):
    one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    one.bind((interface, 0))
    one.send(bytes.fromhex(octets))
    return "done"


if __name__ == "__main__":
    print({"tcp": tcp, "udp": udp, "ping": ping, "frame": frame}[sys.argv[1]](*sys.argv[2:]))
