#!/usr/bin/env python3
"""resend.py PCAP COUNT - put the first captured IPv4 packet on the wire again, COUNT times."""
import socket
import struct
import sys

with open(sys.argv[1], "rb") as f:
    f.read(24)
    length = struct.unpack("<IIII", f.read(16))[2]
    ip = f.read(length)[14:]
ip = ip[: struct.unpack("!H", ip[2:4])[0]]
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for _ in range(int(sys.argv[2])):
    s.sendto(ip, (socket.inet_ntoa(ip[16:20]), 0))
