#!/usr/bin/python3
"""relay.py INTERFACE DELAY_MS JITTER_MS - keep packets for a while, each for another one.

Makes a TUN interface in the namespace it runs in. What is routed into it comes out of it again after
DELAY_MS plus a random time up to JITTER_MS: later packets overtake earlier ones. (There is no netem in
every kernel; a TUN device there is.) Ends on SIGTERM.
"""
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
QUEUE = 10000


def main():
    name, delay, jitter = sys.argv[1], float(sys.argv[2]) / 1000, float(sys.argv[3]) / 1000
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    print("relaying", file=sys.stderr, flush=True)
    waiting, number = [], 0
    while True:
        wait = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        if select.select([tun], [], [], wait)[0]:
            packet = os.read(tun, 65536)
            if len(waiting) < QUEUE:
                number += 1  # packets of one instant keep their order
                heapq.heappush(waiting, (time.monotonic() + delay + random.random() * jitter, number, packet))
        while waiting and waiting[0][0] <= time.monotonic():
            os.write(tun, heapq.heappop(waiting)[2])


main()
