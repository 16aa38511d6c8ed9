#!/usr/bin/env python3
"""nonces.py PCAP TIME [SID_BITS] - judge the ESP packets of one sender, captured before and after TIME.

Fails when a (SPI, IV) pair occurs twice, or when a sender id of after TIME was already used under
the same SPI before it."""
import struct
import sys


def packets(path):
    with open(path, "rb") as f:
        f.read(24)
        while True:
            head = f.read(16)
            if len(head) < 16:
                return
            sec, usec, length, _ = struct.unpack("<IIII", head)
            yield sec + usec / 1e6, f.read(length)


path, boundary = sys.argv[1], float(sys.argv[2])
sid_bits = int(sys.argv[3]) if len(sys.argv) > 3 else 24
seen, before, after = set(), set(), set()
n = [0, 0]
for when, frame in packets(path):
    ip = frame[14:]
    if ip[9] != 50:
        continue
    esp = ip[(ip[0] & 15) * 4:]
    spi, iv = esp[0:4], esp[8:16]
    if (spi, iv) in seen:
        sys.exit(f"SPI {spi.hex()} IV {iv.hex()} was used twice")
    seen.add((spi, iv))
    sid = int.from_bytes(iv, "big") >> (64 - sid_bits)
    late = when > boundary
    (after if late else before).add((spi.hex(), sid))
    n[late] += 1
# espd may still have sent in the instant between the clock and the signal: what counts is reuse
# by a process that started later, so the old ids must all be gone at the end.
last = {s for s in after if s not in before}
if not n[0] or not n[1]:
    sys.exit(f"{n[0]} packets before, {n[1]} after: nothing to compare")
if not last:
    sys.exit(f"the restarted sender goes on under {sorted(before)}")
print(f"{n[0]} packets before, {n[1]} after, all nonces differ; (SPI, sender id) "
      f"{sorted(before)} then {sorted(last)}")
