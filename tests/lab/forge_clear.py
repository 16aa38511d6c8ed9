#!/usr/bin/env python3
"""forge_clear.py SOURCE DESTINATION COUNT - send ICMP echo requests with a source that is not ours."""
import socket
import struct
import sys


def checksum(b):
    s = sum(struct.unpack(f"!{len(b) // 2}H", b))
    s = (s >> 16) + (s & 0xFFFF)
    return ~(s + (s >> 16)) & 0xFFFF


source, destination, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
icmp = struct.pack("!BBHHH8s", 8, 0, 0, 1, 1, b"forged__")
icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 1, 0, 64, 1, 0,
                 socket.inet_aton(source), socket.inet_aton(destination))
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for _ in range(count):
    s.sendto(ip + icmp, (destination, 0))
