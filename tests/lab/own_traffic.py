#!/usr/bin/env python3
"""A router's own words. send SRC DST PROTO: one packet | join ADDRESS GROUP: an IGMP report |
listen PORT…: greets whoever calls | call ADDRESS PORT: 0 when greeted within a second."""
import selectors
import socket
import struct
import sys


def send(src, dst, proto):
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, int(proto))
    s.bind((src, 0))
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(src))
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    s.sendto(bytes(44), (dst, 0))


def join(address, group):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                 struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton(address)))


def listen(*ports):
    sel = selectors.DefaultSelector()
    for port in ports:
        s = socket.create_server(("0.0.0.0", int(port)))
        sel.register(s, selectors.EVENT_READ)
    while True:
        for key, _ in sel.select():
            c, _ = key.fileobj.accept()
            c.sendall(b"here")
            c.close()


def call(address, port):
    try:
        with socket.create_connection((address, int(port)), timeout=1) as s:
            sys.exit(0 if s.recv(10) == b"here" else 1)
    except OSError:
        sys.exit(1)


if __name__ == "__main__":
    {"send": send, "join": join, "listen": listen, "call": call}[sys.argv[1]](*sys.argv[2:])
