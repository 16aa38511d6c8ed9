#!/usr/bin/python3
"""watch.py LAB_DIR EVENTS - see everything a drill is judged by, and write it down.

Runs inside the namespace of the router that all packets of the lab pass. Three kinds of eyes:
  daemons   asked for their JSON over the control sockets, five times a second; what changed is told
  logs      followed; every line with a mnemonic, at the time that its daemon gave it
  packets   as they enter the router: rekeys and who sent them, sender ids and nonces of ESP, packets
            of the hosts in clear, octets and fragments between key servers
Each fact is one line of JSON in EVENTS: t (milliseconds since the machine started, the clock of the
daemons' logs), node, kind, and what belongs to the kind. Standard output tells people the same.
When it began, and the names and addresses of the nodes, are in LAB_DIR/drill.json. Ends on SIGTERM.
"""
import json
import os
import re
import signal
import socket
import struct
import sys
import threading
import time

EVERY_S = 0.2
SOL_PACKET, PACKET_IGNORE_OUTGOING, SO_RCVBUFFORCE = 263, 23, 33  # the module lacks them
ESP, UDP, TCP = 50, 17, 6
GDOI_PORTS = (848, 849, 4500)
PUSH = 33


def now_ms():
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)


class Book:
    """Where facts are written: one line each, for the judge and for people."""

    def __init__(self, path, began):
        self.file = open(path, "a", encoding="utf-8")
        self.lock = threading.Lock()
        self.began = began

    def write(self, node, kind, t=None, say=None, **facts):
        t = now_ms() if t is None else t
        line = json.dumps({"t": t, "node": node, "kind": kind, **facts}) + "\n"
        with self.lock:
            self.file.write(line)
            self.file.flush()
            if say:
                print(f"{(t - self.began) / 1000:7.2f} s  {node:<5} {say}", flush=True)


class Asker:
    """A control socket that is kept open: a frame is a length and so many octets of JSON."""

    def __init__(self, path):
        self.path, self.sock = path, None

    def _read(self, n):
        data = b""
        while len(data) < n:
            piece = self.sock.recv(n - len(data))
            if not piece:
                raise OSError("closed")
            data += piece
        return data

    def ask(self, command):
        """The answer's data; None: refused. Raises OSError when nobody is there."""
        try:
            if self.sock is None:
                self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self.sock.settimeout(2)
                self.sock.connect(self.path)
            body = json.dumps({"v": 1, "words": command.split(), "format": "json"}).encode()
            self.sock.sendall(struct.pack(">I", len(body)) + body)
            answer = json.loads(self._read(struct.unpack(">I", self._read(4))[0]))
        except OSError:
            self.hang_up()
            raise
        return answer.get("data") if answer.get("status") == "ok" else None

    def hang_up(self):
        if self.sock is not None:
            self.sock.close()
        self.sock = None


class LogFollower:
    """Lines with a mnemonic that were added to a log; what was there before belongs to nobody."""

    LINE = re.compile(r"(\d+)\.(\d{3}) \w+\[\w+\] %(\w+-\d-\w+): ?(.*)")

    def __init__(self, path):
        self.path, self.rest = path, ""
        self.at = os.path.getsize(path) if os.path.exists(path) else 0

    def lines(self):
        try:
            with open(self.path, encoding="utf-8", errors="replace") as f:
                f.seek(self.at)
                text = self.rest + f.read()
                self.at = f.tell()
        except OSError:
            return
        *whole, self.rest = text.split("\n")
        for line in whole:
            m = self.LINE.match(line)
            if m:
                yield int(m[1]) * 1000 + int(m[2]), m[3].split("-", 2)[2], m[4]


def one_group(data):
    groups = (data or {}).get("groups") or []
    return groups[0] if groups else None


class Daemon(threading.Thread):
    """One daemon: asked and listened to, and whatever changed is written."""

    def __init__(self, book, folder, node, name):
        super().__init__(daemon=True)
        self.book, self.node, self.name = book, node, f"{name}"
        self.asker = Asker(f"{folder}/{node}/{name}.sock")
        self.log = LogFollower(f"{folder}/{node}/{name}.log")
        self.last, self.said = {}, {}
        self.up = None
        self.next_slow = 0

    def tell(self, kind, say=None, t=None, **facts):
        if self.last.get(kind) == facts:
            return
        self.last[kind] = facts
        if say and self.said.get(kind) == say:
            say = None
        elif say:
            self.said[kind] = say
        self.book.write(self.node, kind, t=t, say=say, **facts)

    def run(self):
        while True:
            began = time.monotonic()
            self.read_log()
            try:
                self.ask()
                up = True
            except (OSError, ValueError):
                up = False
            if up != self.up:
                self.up = up
                self.last.clear()
                self.book.write(self.node, "up" if up else "down", daemon=self.name,
                                say=f"{self.name} {'answers' if up else 'is gone'}")
            time.sleep(max(0.02, EVERY_S - (time.monotonic() - began)))

    def read_log(self):
        for t, mnemonic, text in self.log.lines():
            self.book.write(self.node, "log", t=t, daemon=self.name, mnemonic=mnemonic, text=text,
                            say=self.worth_telling(mnemonic, text))
            self.learn(t, mnemonic, text)

    TOLD = re.compile("GM_REGSTER|GM_REGS_COMPL|GM_RECV_REKEY|GM_RE_REGISTER|RECOVERY|KS_SEND_|KS_RESTORED"
                      "|KS_NOT_RESTORED|KS_SID_EXHAUSTED|COOP_(?!KS_TRANS)|CLOCK_BACK|GM_DELETE|ACK_MISSING|UNAUTHORIZED")

    def worth_telling(self, mnemonic, text):
        return f"{mnemonic} {text[:72]}" if self.TOLD.search(mnemonic) else None

    def learn(self, t, mnemonic, text):
        """What a log says sooner than an answer would."""

    def ask(self):
        raise NotImplementedError

    def slow_turn(self):
        if time.monotonic() < self.next_slow:
            return False
        self.next_slow = time.monotonic() + 1
        return True

    def tell_pseudotime(self, command):
        """Pseudotime less the clock: it stands still as long as both go on alike."""
        before = now_ms()
        group = one_group(self.asker.ask(command))
        after = now_ms()
        if group and after - before < 100 and group.get("pseudotime_ms"):
            self.book.write(self.node, "pseudotime", epoch=group["epoch"],
                            offset_ms=group["pseudotime_ms"] - (before + after) // 2)


class Member(Daemon):
    def ask(self):
        g = one_group(self.asker.ask("show crypto gdoi gm"))
        if g is None:
            return
        of = {state: sorted(k["spi"] for k in g["teks"] if k["state"] == state)
              for state in ("staged", "current", "draining")}
        kek = g.get("kek") or {}
        self.tell("member", state=g["state"], dataplane=g["dataplane"], server=g.get("server"),
                  seq=g["seq"], kek=(kek.get("spi") or "")[:8], **of,
                  say=f"{g['state']}, sends under {of['current'][0] if of['current'] else 'nothing'}"
                      f" of {len(of['current'])}, opens {sum(map(len, of.values()))}")
        if self.slow_turn():
            self.tell_pseudotime("show crypto gdoi gm replay")


class KeyServer(Daemon):
    coop = True

    def learn(self, t, mnemonic, text):
        if mnemonic.startswith("COOP_KS_TRANS_TO_"):
            role = "primary" if mnemonic.endswith("PRI") else "secondary"
            term = re.search(r"\bterm=(\d+)", text)
            if term:
                self.tell("role", t=t, role=role, term=int(term[1]), say=f"{role}, term {term[1]}")

    def ask(self):
        if self.coop:
            self.ask_coop()
        g = one_group(self.asker.ask("show crypto gdoi ks policy"))
        if g is not None:
            kek = g.get("kek") or {}
            self.tell("keys", kek=(kek.get("spi") or "0x")[2:10], seq=kek.get("seq"),
                      teks=sorted(k["spi"] for k in g["teks"]),
                      current=sorted(k["spi"] for k in g["teks"] if k["state"] == "current"))
        if self.slow_turn():
            self.tell_pseudotime("show crypto gdoi ks replay")

    def ask_coop(self):
        data = self.asker.ask("show crypto gdoi ks coop")
        g = one_group(data)
        if g is None:
            self.coop = data is not None  # a lone key server has no such command
            return
        role = g["role"].lower()
        self.tell("role", role=role, term=g["term"], say=f"{role}, term {g['term']}")
        self.tell("peers", peers={p["address"]: p["status"] for p in g["peers"]})


class Wire(threading.Thread):
    """Packets as they enter the router."""

    def __init__(self, book, nodes, sid_bits):
        super().__init__(daemon=True)
        self.book, self.sid_shift = book, 64 - sid_bits
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self.sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self.sock.settimeout(0.5)
        self.servers = {n["addr"]: n["name"] for n in nodes if n["kind"] == "ks"}
        self.hosts = {n["addr"]: n["name"] for n in nodes if n["kind"] == "host"}
        self.links = {n["name"] for n in nodes}  # interfaces of the router are called as who is behind
        self.sids, self.clear, self.doubled = {}, {}, 0
        self.coop = {"octets": 0, "packets": 0, "fragments": 0}
        self.told, self.next_count = dict(self.coop), now_ms()

    def run(self):
        while True:
            try:
                data, (link, *_) = self.sock.recvfrom(120)
                if link in self.links:
                    self.packet(link, data)
            except TimeoutError:
                pass
            if now_ms() >= self.next_count:
                self.next_count = now_ms() + 1000
                self.count()

    def count(self):
        if self.coop != self.told:
            self.book.write(None, "coop_traffic", **{k: self.coop[k] - self.told[k] for k in self.coop})
            self.told = dict(self.coop)
        for (src, dst), n in self.clear.items():
            self.book.write(src, "clear", to=dst, packets=n, say=f"in clear to {dst}: {n} packets")
        self.clear.clear()

    def packet(self, link, ip):
        if len(ip) < 28 or ip[0] >> 4 != 4:
            return
        head = (ip[0] & 15) * 4
        src, dst = socket.inet_ntoa(ip[12:16]), socket.inet_ntoa(ip[16:20])
        length, fragment = struct.unpack(">HxxH", ip[2:8])
        if src in self.servers and dst in self.servers:
            self.coop["octets"] += length
            self.coop["packets"] += 1
            self.coop["fragments"] += bool(fragment & 0x3FFF)
        elif ip[9] == ESP:
            self.esp(link, ip[head:head + 16])
        elif src in self.hosts and dst in self.hosts and ip[9] == UDP:
            pair = self.hosts[src], self.hosts[dst]
            self.clear[pair] = self.clear.get(pair, 0) + 1
        elif src in self.servers and ip[9] == UDP and not fragment & 0x1FFF:
            self.gdoi(src, dst, ip[head:])

    def gdoi(self, src, dst, udp):
        if len(udp) >= 36 and struct.unpack(">H", udp[:2])[0] == 848 and udp[26] == PUSH:
            self.book.write(self.servers[src], "push", to=dst, kek=udp[8:12].hex().upper(),
                            octets=struct.unpack(">H", udp[4:6])[0])

    def esp(self, link, esp):
        spi, _, iv = struct.unpack(">IIQ", esp)
        key = spi, iv >> self.sid_shift
        owner = self.sids.get(key)
        if owner is None:
            self.sids[key] = [link, iv]
            self.book.write(link, "sender_id", spi=f"0x{spi:08X}", sid=key[1])
        elif owner[0] != link or iv <= owner[1]:
            self.doubled += 1
            if self.doubled <= 5:
                self.book.write(link, "nonce_again", spi=f"0x{spi:08X}", sid=key[1], first=owner[0],
                                say=f"NONCE AGAIN under 0x{spi:08X}, sender id {key[1]} of {owner[0]}")
        else:
            owner[1] = iv


def main():
    folder, path = sys.argv[1:3]
    with open(f"{folder}/drill.json", encoding="utf-8") as f:
        drill = json.load(f)
    nodes = drill["nodes"]
    book = Book(path, drill["began"])
    eyes = [Wire(book, nodes, drill["sid_bits"])]
    eyes += [KeyServer(book, folder, n["name"], "ksd") for n in nodes if n["kind"] == "ks"]
    eyes += [Member(book, folder, n["name"], "gmd") for n in nodes if n["kind"] == "gm"]
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    for e in eyes:
        e.start()
    print("watching", file=sys.stderr, flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    book.write(None, "end")


main()
