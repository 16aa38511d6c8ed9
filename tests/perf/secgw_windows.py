#!/usr/bin/env python3
"""secgw_windows.py PID SOCKET PORT - ns of thread CPU time per packet of a DPDK program.

Reads what PORT has sent from the program's telemetry SOCKET, and the CPU time of its busiest thread, in ten
windows of 40 ms; one line per window, none for a window without packets. Exit status 1: nothing was sent.
"""
import json
import os
import socket
import sys
import time


def connect(path):
    for _ in range(100):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            s.connect(path)
            s.recv(1024)
            return s
        except OSError:
            s.close()
            time.sleep(0.05)
    sys.exit(f"{path}: nobody answers")


def cpu_ns(pid):
    def of(task):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            return int(f.read().split()[0])

    return max(of(task) for task in os.listdir(f"/proc/{pid}/task"))


def main():
    pid, path, port = sys.argv[1:4]
    s = connect(path)

    def sample():
        s.send(f"/ethdev/stats,{port}".encode())
        return json.loads(s.recv(65536))["/ethdev/stats"]["opackets"], cpu_ns(pid)

    end = time.monotonic() + 5
    while sample()[0] == 0:
        if time.monotonic() > end:
            sys.exit(1)
        time.sleep(0.02)
    n0, t0 = sample()
    for _ in range(10):
        time.sleep(0.04)
        n, t = sample()
        if n - n0 >= 1000:
            print(f"{(t - t0) / (n - n0):.1f}")
        n0, t0 = n, t


main()
