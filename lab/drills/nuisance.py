#!/usr/bin/python3
"""nuisance.py KS KS… - what a stranger on the way can do to key servers.

Listens to their hello datagrams (UDP 849) for two seconds, then sends each of them again, sends it
back to who said it, sends it with one bit changed, and sends noise; calls TCP 848 from an address of
nobody, says nothing, says noise. Runs in the router, where all of it passes.
"""
import os
import socket
import struct
import sys
import time

HELLO, STREAM = 849, 848


def hellos(seconds):
    """IP packets that carry a hello, as heard."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    sock.settimeout(0.2)
    end, heard = time.monotonic() + seconds, set()
    while time.monotonic() < end:
        try:
            ip = sock.recv(2048)
        except TimeoutError:
            continue
        if ip[9] == 17 and struct.unpack(">H", ip[22:24])[0] == HELLO:
            heard.add(ip[:struct.unpack(">H", ip[2:4])[0]])
    return heard


def udp(src, dst, payload):
    """An IP packet; the kernel fills in its checksum, and UDP over IPv4 may go without one."""
    return struct.pack(">BBHHHBBH4s4sHHHH", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0, src, dst,
                       HELLO, HELLO, 8 + len(payload), 0) + payload


def main():
    servers = [socket.inet_aton(a) for a in sys.argv[1:]]
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def send(packet):
        raw.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))

    heard = hellos(2)
    time.sleep(1)
    for ip in heard:
        src, dst, payload = ip[12:16], ip[16:20], ip[28:]
        send(udp(src, dst, payload))
        send(udp(dst, src, payload))
        changed = bytearray(payload)
        changed[len(payload) // 2] ^= 1
        send(udp(src, dst, bytes(changed)))
    for dst in servers:
        for src in servers:
            send(udp(src, dst, os.urandom(200)))
        for words in (b"", os.urandom(300)):
            with socket.create_connection((socket.inet_ntoa(dst), STREAM), timeout=2) as call:
                try:
                    call.sendall(words)
                    call.recv(100)
                except OSError:
                    pass
    print(f"{len(heard)} hellos sent again")


main()
