#!/usr/bin/env python3
"""Both sides of one espd, played by scapy. See espd_scapy_test.sh; needs a namespace of its own."""
import json
import logging
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

logging.getLogger("scapy").setLevel(logging.ERROR)
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from scapy.all import ARP, ICMP, IP, UDP, Dot1Q, Ether, IPv6, Raw, conf
from scapy.layers.ipsec import ESP, SecurityAssociation

BUILD = os.environ["BUILD"]
LAN_HOST, WAN_HOST = "10.1.0.9", "10.2.0.9"  # a protected flow between them
SPI, SID = 0x1001, 0x1234
KEY = bytes(range(1, 33))
SALT = b"\xde\xad\xbe\xef"
AUTH = bytes(range(101, 133))
LAN_MAC, WAN_MAC = "02:00:00:00:0a:01", "02:00:00:00:0a:02"  # next hops on either side
tmp = tempfile.mkdtemp(prefix="espd-scapy-")
sock = tmp + "/espd.sock"
n_ok = 0


class Suite:
    """One suite, as scapy names it and as we build it by hand."""

    def __init__(self, name, bits, gcm):
        self.name, self.gcm = name, gcm
        self.key = KEY[: bits // 8]
        self.block = 4 if gcm else 16
        self.iv_len = 8 if gcm else 16

    def key_words(self):
        if self.gcm:
            return (self.key + SALT).hex(), "-", f"{SID}/16"
        return self.key.hex(), AUTH.hex(), "-"

    def scapy(self, spi=SPI, src=None, dst=None):
        head = IP(src=src, dst=dst) if src else IP()
        if self.gcm:
            return SecurityAssociation(ESP, spi=spi, crypt_algo="AES-GCM",
                                       crypt_key=self.key + SALT, tunnel_header=head)
        return SecurityAssociation(ESP, spi=spi, crypt_algo="AES-CBC", crypt_key=self.key,
                                   auth_algo="SHA2-256-128", auth_key=AUTH, tunnel_header=head)

    def seal(self, text, spi=SPI, seq=1):
        """An ESP payload around text, which carries its own trailer, right or wrong."""
        head, iv = struct.pack("!II", spi, seq), os.urandom(self.iv_len)
        if self.gcm:
            return head + iv + AESGCM(self.key).encrypt(SALT + iv, text, head)
        c = Cipher(algorithms.AES(self.key), modes.CBC(iv)).encryptor()
        body = head + iv + c.update(text) + c.finalize()
        mac = hmac.HMAC(AUTH, hashes.SHA256())
        mac.update(body)
        return body + mac.finalize()[:16]

    def trailer(self, inner, next_header=4):
        pad = -(len(inner) + 2) % self.block
        return bytes(range(1, pad + 1)) + bytes([pad, next_header])


SUITES = [Suite("gcm128", 128, True), Suite("gcm256", 256, True), Suite("cbc128", 128, False),
          Suite("cbc256", 256, False)]


def sh(command):
    subprocess.run(command, shell=True, check=True)


def fail(text):
    print("FAILED:", text)
    sys.exit(1)


def ok(text, holds=True):
    global n_ok
    if not holds:
        fail(text)
    n_ok += 1
    print("ok:", text)


def ctl(script, want_ok=True):
    r = subprocess.run([BUILD + "/tests/tools/dp_ctl", sock], input=script, text=True,
                       capture_output=True)
    if want_ok and r.returncode != 0:
        fail(f"espd refused: {r.stdout}{r.stderr}")
    return r.stdout


def counters():
    return {w[1]: int(w[2]) for w in (line.split() for line in ctl("counters\n").splitlines())
            if w[0] == "counter"}


generation = 0


def program(lines):
    global generation
    generation += 1
    return ctl("\n".join(lines) + f"\ncommit {generation}\n")


def sa_line(suite, spi=SPI, direction="both", life=3600):
    return f"sa {spi:#x} {direction} {suite.name} " + " ".join(suite.key_words()) + f" {life}"


PROTECT = f"rule protect 10.0.0.0/8 10.0.0.0/8 ip - - {SPI:#x} {SPI:#x}"


def policy(suite, life=3600):
    program([sa_line(suite, life=life), PROTECT])


class Side:
    """A raw socket on one end of a veth pair."""

    def __init__(self, iface, twin):
        self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.s.bind((iface, 0))
        link = subprocess.check_output(["ip", "-j", "link", "show", "dev", twin])
        self.mac = json.loads(link)[0]["address"]

    def send(self, ip, src=LAN_MAC):
        self.s.send(bytes(ip if isinstance(ip, Ether) else Ether(src=src, dst=self.mac) / ip))

    def clear(self):
        self.s.setblocking(False)
        try:
            while True:
                self.s.recv(2048)
        except BlockingIOError:
            pass

    def get(self, want, seconds=2.0):
        """The first frame that came from espd and that want() likes, as Ether."""
        end = time.time() + seconds
        while time.time() < end:
            self.s.settimeout(max(0.01, end - time.time()))
            try:
                data, addr = self.s.recvfrom(2048)
            except socket.timeout:
                return None
            if addr[2] != socket.PACKET_OUTGOING:
                frame = Ether(data)
                if IP in frame and want(frame):
                    return frame
        return None


def udp(src, dst, size=100, **fields):
    return IP(src=src, dst=dst, **fields) / UDP(sport=1000, dport=2000) / Raw(os.urandom(size))


@contextmanager
def counted(name, text, times=1):
    """What happens inside must count name, exactly so many times, and let nothing through."""
    before = counters()
    lan.clear()
    wan.clear()
    yield
    end = time.time() + 2
    while counters()[name] < before[name] + times and time.time() < end:
        time.sleep(0.02)
    after = counters()
    if after[name] != before[name] + times:
        fail(f"{text}: {name} is {after[name] - before[name]}; "
             f"{[(k, v - before[k]) for k, v in after.items() if v != before[k]]}")
    leak = lan.get(lambda f: f[IP].dst == LAN_HOST and ICMP not in f, 0.1)
    ok(f"{text}: {name}", leak is None)


# ---- the right way


def opens_what_espd_sends(suite):
    policy(suite)
    opener = suite.scapy()
    ivs = []
    for size in list(range(0, 40)) + [500, 1400]:
        sent = udp(LAN_HOST, WAN_HOST, size, tos=0xB8, flags="DF", ttl=33, id=size)
        lan.send(sent)
        frame = wan.get(lambda f: ESP in f)
        if frame is None:
            fail(f"{suite.name}: nothing came out for {size} octets")
        outer = frame[IP]
        if (outer.src, outer.dst, outer.tos, str(outer.flags), outer[ESP].spi) != \
                (LAN_HOST, WAN_HOST, 0xB8, "DF", SPI) or frame.dst != WAN_MAC:
            fail(f"outer header: {frame.summary()}")
        ivs.append(bytes(outer[ESP])[8:8 + suite.iv_len])
        inner = opener.decrypt(IP(bytes(outer)))
        sent.ttl -= 1
        if bytes(inner) != bytes(IP(bytes(sent))):
            fail(f"{suite.name}: inner packet differs at {size} octets")
    ok(f"{suite.name}: scapy opens {len(ivs)} packets, addresses, DSCP and DF preserved")
    if suite.gcm:
        numbers = [int.from_bytes(iv, "big") for iv in ivs]
        ok(f"{suite.name}: IVs start with the sender id and count up by one",
           numbers[0] >> 48 == SID and
           numbers == list(range(numbers[0], numbers[0] + len(numbers))))
    else:
        ok(f"{suite.name}: no IV comes twice", len(set(ivs)) == len(ivs))


def espd_opens_what_scapy_sends(suite):
    maker = suite.scapy(src=WAN_HOST, dst=LAN_HOST)
    for size in list(range(0, 40)) + [500, 1300]:
        sent = udp(WAN_HOST, LAN_HOST, size, ttl=20)
        wan.send(maker.encrypt(IP(bytes(sent))))
        frame = lan.get(lambda f: f[IP].dst == LAN_HOST)
        if frame is None:
            fail(f"{suite.name}: {size} octets not opened: "
                 f"{[(k, v) for k, v in counters().items() if v]}")
        sent.ttl -= 1
        if bytes(frame[IP]) != bytes(IP(bytes(sent))) or frame.dst != LAN_MAC:
            fail(f"{suite.name}: what came out differs at {size} octets")
    ok(f"{suite.name}: espd opens what scapy sends")


# ---- the wrong way


def esp_packet(payload, src=WAN_HOST, dst=LAN_HOST, **fields):
    return IP(src=src, dst=dst, proto=50, **fields) / Raw(payload)


def refuses_bad_esp(suite):
    inner = bytes(IP(bytes(udp(WAN_HOST, LAN_HOST))))
    good = suite.seal(inner + suite.trailer(inner))

    for at in (4, 9, 30, len(good) - 1):  # sequence number, IV, text, ICV
        bad = bytearray(good)
        bad[at] ^= 0x40
        with counted("esp_in_auth_fail", f"{suite.name}: octet {at} changed"):
            wan.send(esp_packet(bytes(bad)))
    pad = bytearray(suite.trailer(inner + b"x"))
    pad[0] ^= 0xFF
    with counted("esp_in_padding", f"{suite.name}: padding octets wrong"):
        wan.send(esp_packet(suite.seal(inner + b"x" + bytes(pad))))
    with counted("esp_in_padding", f"{suite.name}: pad length beyond the packet"):
        text = inner + suite.trailer(inner)
        wan.send(esp_packet(suite.seal(text[:-2] + b"\xff\x04")))
    with counted("esp_in_next_header", f"{suite.name}: payload is IPv6"):
        wan.send(esp_packet(suite.seal(inner + suite.trailer(inner, 41))))
    with counted("esp_in_next_header", f"{suite.name}: payload is UDP, transport mode"):
        wan.send(esp_packet(suite.seal(inner + suite.trailer(inner, 17))))
    other = bytes(IP(bytes(udp("10.2.0.8", LAN_HOST))))
    with counted("esp_in_address_differs", f"{suite.name}: inner source is another's"):
        wan.send(esp_packet(suite.seal(other + suite.trailer(other))))
    other = bytes(IP(bytes(udp(WAN_HOST, "10.1.0.8"))))
    with counted("esp_in_address_differs", f"{suite.name}: inner destination is another's"):
        wan.send(esp_packet(suite.seal(other + suite.trailer(other))))
    junk = os.urandom(60)
    with counted("esp_in_inner_header", f"{suite.name}: inner packet is noise"):
        wan.send(esp_packet(suite.seal(junk + suite.trailer(junk))))
    with counted("esp_in_inner_header", f"{suite.name}: inner packet longer than its text"):
        cut = inner[:40]
        wan.send(esp_packet(suite.seal(cut + suite.trailer(cut))))
    with counted("esp_in_length", f"{suite.name}: cut within the ICV"):
        wan.send(esp_packet(good[:24]))
    with counted("esp_in_length", f"{suite.name}: not a multiple of the block"):
        wan.send(esp_packet(good + b"x"))
    with counted("esp_in_fragment", f"{suite.name}: fragment of an ESP packet"):
        wan.send(esp_packet(good, flags="MF"))
    with counted("esp_in_ecn", f"{suite.name}: congestion mark on a flow without ECN"):
        wan.send(esp_packet(good, tos=3))
    wan.send(esp_packet(good))
    ok(f"{suite.name}: the same packet unharmed is accepted",
       lan.get(lambda f: f[IP].dst == LAN_HOST) is not None)


def policy_decides():
    suite = SUITES[0]
    policy(suite)
    inner = bytes(IP(bytes(udp(WAN_HOST, LAN_HOST))))
    with counted("esp_in_cleartext", "cleartext of a protected flow"):
        wan.send(udp(WAN_HOST, LAN_HOST))
    with counted("esp_in_unknown_spi", "protected flow under an unknown SPI"):
        wan.send(esp_packet(suite.seal(inner + suite.trailer(inner), spi=0x9999)))
    foreign = esp_packet(os.urandom(60), src="172.16.0.1")
    wan.send(foreign)
    ok("ESP of others between unprotected addresses passes",
       lan.get(lambda f: f[IP].src == "172.16.0.1") is not None)
    wan.send(udp("172.16.0.1", LAN_HOST))
    ok("unprotected cleartext passes in",
       lan.get(lambda f: f[IP].src == "172.16.0.1") is not None)
    lan.send(udp(LAN_HOST, "172.16.0.1"))
    ok("unprotected cleartext passes out",
       wan.get(lambda f: f[IP].dst == "172.16.0.1" and UDP in f) is not None)
    outside = bytes(IP(bytes(udp("172.16.0.1", LAN_HOST))))
    with counted("esp_in_policy", "flow that is not protected, under a known SA"):
        wan.send(esp_packet(suite.seal(outside + suite.trailer(outside)), src="172.16.0.1"))

    program([sa_line(suite), sa_line(suite, spi=0x2002), PROTECT])
    with counted("esp_in_policy", "known SA that the rule does not name"):
        wan.send(esp_packet(suite.seal(inner + suite.trailer(inner), spi=0x2002)))
    program([sa_line(suite, direction="in"),
             f"rule protect 10.0.0.0/8 10.0.0.0/8 ip - - 0 {SPI:#x}"])
    with counted("esp_out_no_sa", "nothing to send under yet"):
        lan.send(udp(LAN_HOST, WAN_HOST))
    program(["rule drop 10.0.0.0/8 10.0.0.0/8 udp - 2000 0 -"])
    with counted("policy_drop", "rule says drop, out"):
        lan.send(udp(LAN_HOST, WAN_HOST))
    with counted("policy_drop", "rule says drop, in"):
        wan.send(udp(WAN_HOST, LAN_HOST))
    program([sa_line(suite), PROTECT + " accept"])
    wan.send(udp(WAN_HOST, LAN_HOST))
    ok("receive-only group: cleartext is accepted",
       lan.get(lambda f: f[IP].src == WAN_HOST) is not None)


def many_rules_decide_alike():
    suite = SUITES[0]
    rules = [f"rule clear 10.9.{i}.0/24 10.2.0.0/16 tcp - {i + 1} 0 -" for i in range(100)]
    program([sa_line(suite)] + rules + ["rule clear 10.1.0.9/32 10.2.0.0/16 udp - 53 0 -", PROTECT])
    lan.send(udp(LAN_HOST, WAN_HOST))
    ok("102 rules: the last one protects", wan.get(lambda f: ESP in f) is not None)
    lan.send(IP(src=LAN_HOST, dst=WAN_HOST) / UDP(sport=9, dport=53) / Raw(b"q"))
    ok("102 rules: an earlier one lets pass", wan.get(lambda f: UDP in f) is not None)


def lives_end():
    suite = SUITES[0]
    inner = bytes(IP(bytes(udp(WAN_HOST, LAN_HOST))))
    policy(suite, life=1)
    time.sleep(1.2)
    with counted("esp_in_sa_expired", "SA past its life, in"):
        wan.send(esp_packet(suite.seal(inner + suite.trailer(inner))))
    with counted("esp_out_sa_expired", "SA past its life, out"):
        lan.send(udp(LAN_HOST, WAN_HOST))
    global generation
    generation += 1
    out = ctl(f"{sa_line(suite, spi=0x3003, life=1)}\ncommit {generation}\nwait 2\n")
    ok("the end of a life is noted", "note 4 0x3003" in out)
    policy(suite)
    wan.send(esp_packet(suite.seal(inner + suite.trailer(inner), spi=0x9999)))
    out = ctl("wait 1.5\n")
    ok("an unknown SPI is noted", "note 1 0x9999" in out)


def nonces_go_on():
    suite = SUITES[0]

    def next_iv():
        lan.send(udp(LAN_HOST, WAN_HOST))
        frame = wan.get(lambda f: ESP in f)
        return int.from_bytes(bytes(frame[ESP])[8:16], "big")

    policy(suite)
    first = next_iv()
    policy(suite)
    ok("a commit does not set an IV back", next_iv() == first + 1)
    program(["group test live open"])
    policy(suite)
    ok("nor does removal and return of the SA", next_iv() == first + 2)


def too_big_is_said():
    policy(SUITES[0])
    lan.send(udp(LAN_HOST, WAN_HOST, 1472, flags="DF"))
    frame = lan.get(lambda f: ICMP in f and f[ICMP].type == 3)
    ok("DF and too big: ICMP names 1446 octets",
       frame is not None and frame[ICMP].code == 4 and frame[ICMP].nexthopmtu == 1446 and
       frame[IP].src == "10.1.0.1")
    big = udp(LAN_HOST, WAN_HOST, 1472, id=77)
    lan.send(big)
    parts = []
    while len(parts) < 2:
        frame = wan.get(lambda f: ESP in f)
        if frame is None:
            fail("fragments did not come")
        if len(frame[IP]) > 1500:
            fail("fragment longer than the MTU")
        parts.append(SUITES[0].scapy().decrypt(IP(bytes(frame[IP]))))
    data = b"".join(bytes(p[IP].payload) for p in sorted(parts, key=lambda p: p.frag))
    ok("no DF: cut before encryption, whole again behind",
       data == bytes(IP(bytes(big)).payload) and [p.frag for p in parts] == [0, 178])
    lan.send(udp(LAN_HOST, WAN_HOST, ttl=1))
    frame = lan.get(lambda f: ICMP in f)
    ok("TTL used up: ICMP says so", frame is not None and frame[ICMP].type == 11)
    dead = bytes(IP(bytes(udp(WAN_HOST, LAN_HOST, ttl=1))))
    program([sa_line(SUITES[0]), f"rule protect {WAN_HOST}/32 10.1.0.0/16 ip - - 0 {SPI:#x}"])
    with counted("icmp_would_leak", "an ICMP error about a protected packet does not go in clear"):
        wan.send(esp_packet(SUITES[0].seal(dead + SUITES[0].trailer(dead))))


def nothing_else_passes():
    policy(SUITES[0])
    with counted("ip6_unsupported", "IPv6 across the box"):
        lan.send(Ether(src=LAN_MAC, dst=lan.mac) / IPv6(src="2001:db8::1", dst="2001:db8::2") /
                 UDP())
    with counted("l2_vlan", "VLAN tag"):
        lan.send(Ether(src=LAN_MAC, dst=lan.mac) / Dot1Q(vlan=5) / udp(LAN_HOST, WAN_HOST))
    with counted("l2_group", "unicast packet in a broadcast frame"):
        lan.send(Ether(src=LAN_MAC, dst="ff:ff:ff:ff:ff:ff") / udp(LAN_HOST, WAN_HOST))
    with counted("l2_other_host", "frame for another station"):
        lan.send(Ether(src=LAN_MAC, dst="02:00:00:00:00:99") / udp(LAN_HOST, WAN_HOST))
    with counted("ip4_checksum", "IPv4 checksum wrong"):
        lan.send(udp(LAN_HOST, WAN_HOST, chksum=1))
    with counted("ip4_martian", "source 127.0.0.1"):
        lan.send(udp("127.0.0.1", WAN_HOST))
    with counted("ip4_short", "longer than it is"):
        lan.send(Ether(src=LAN_MAC, dst=lan.mac, type=0x800) /
                 Raw(bytes(IP(bytes(udp(LAN_HOST, WAN_HOST))))[:-20]))
    with counted("l2_unknown", "EtherType that nobody here speaks"):
        lan.send(Ether(src=LAN_MAC, dst=lan.mac, type=0x9000) / Raw(b"x" * 50))
    with counted("fwd_no_route", "no route"):
        lan.send(udp(LAN_HOST, "203.0.113.1"))


def the_box_itself_is_reached():
    any_any = f"rule protect 0.0.0.0/0 0.0.0.0/0 ip - - {SPI:#x} {SPI:#x}"
    program([sa_line(SUITES[0]), any_any, "exempt udp 192.0.2.2 192.0.2.1 848"])
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("192.0.2.2", 848))
    s.settimeout(2)
    wan.send(IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=848, dport=848) / Raw(b"hello box"))
    ok("the key server's datagram reaches the box in clear", s.recv(100) == b"hello box")
    s.sendto(b"hello ks", ("192.0.2.1", 848))
    frame = wan.get(lambda f: UDP in f and f[UDP].dport == 848)
    ok("and the answer leaves in clear", frame is not None and frame[Raw].load == b"hello ks")
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind(("192.0.2.2", 5000))
    wan.clear()
    other.sendto(b"not exempt", ("192.0.2.1", 849))
    frame = wan.get(lambda f: ESP in f and f[IP].dst == "192.0.2.1")
    inner = SUITES[0].scapy().decrypt(IP(bytes(frame[IP]))) if frame else None
    ok("other traffic of the box is protected like anyone's",
       inner is not None and inner[UDP].dport == 849)
    with counted("esp_in_cleartext", "cleartext to the box that is not exempt"):
        wan.send(IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=5, dport=6))
    other.settimeout(2)
    inner = bytes(IP(bytes(IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=849, dport=5000) /
                           Raw(b"hello again"))))
    wan.send(esp_packet(SUITES[0].seal(inner + SUITES[0].trailer(inner)), src="192.0.2.1",
                        dst="192.0.2.2"))
    ok("what comes to the box under ESP reaches it", other.recv(100) == b"hello again")


def eventually(text, attempt, seconds=3.0):
    """Tries until it holds: the kernel's news need a moment to reach espd."""
    end = time.time() + seconds
    while not attempt():
        if time.time() > end:
            fail(text)
    ok(text)


def routes_follow_the_kernel():
    program(["group test live open"])

    def arrives(dst):
        wan.clear()
        lan.send(udp(LAN_HOST, dst))
        return wan.get(lambda f: f[IP].dst == dst and UDP in f, 0.1) is not None

    ok("a route leads out", arrives("10.2.7.7"))
    sh("ip route add blackhole 10.2.7.0/24")
    eventually("a blackhole inside it swallows", lambda: not arrives("10.2.7.7"))
    with counted("fwd_unusable_route", "and is counted"):
        lan.send(udp(LAN_HOST, "10.2.7.7"))
    sh("ip route del blackhole 10.2.7.0/24")
    eventually("without it the wider route leads out again", lambda: arrives("10.2.7.7"))
    sh("ip route add 10.2.8.0/24 via 192.0.2.1 metric 50;"
       "ip route add blackhole 10.2.8.0/24 metric 10")
    eventually("the lower metric wins", lambda: not arrives("10.2.8.8"))
    sh("ip route del blackhole 10.2.8.0/24 metric 10")
    eventually("then the other one", lambda: arrives("10.2.8.8"))
    sh("ip addr add 10.2.9.1/32 dev lan")
    eventually("an own address is not forwarded to", lambda: not arrives("10.2.9.1"))
    sh("ip addr del 10.2.9.1/32 dev lan")
    eventually("until it is gone", lambda: arrives("10.2.9.1"))
    sh("ip link set wan down")
    eventually("a port that is down has no routes", lambda: not arrives("10.2.7.7"))
    sh("ip link set wan up; ip route add 10.2.0.0/16 via 192.0.2.1;"
       "ip route add 172.16.0.0/16 via 192.0.2.1;"
       f"ip neigh replace 192.0.2.1 lladdr {WAN_MAC} dev wan nud permanent")
    eventually("and has them when it is up", lambda: arrives("10.2.7.7"))
    sh("ip neigh del 192.0.2.1 dev wan")
    eventually("without its neighbour nothing leaves", lambda: not arrives("10.2.7.7"))
    wan.clear()
    lan.send(udp(LAN_HOST, "10.2.7.8"))
    ok("an unknown neighbour is asked for", wan_arp() is not None)
    sh(f"ip neigh replace 192.0.2.1 lladdr {WAN_MAC} dev wan nud permanent")
    ok("and the packet that waited leaves",
       wan.get(lambda f: f[IP].dst == "10.2.7.8") is not None)


def wan_arp():
    end = time.time() + 3
    while time.time() < end:
        wan.s.settimeout(1)
        try:
            data, addr = wan.s.recvfrom(2048)
        except socket.timeout:
            continue
        frame = Ether(data)
        if addr[2] != socket.PACKET_OUTGOING and ARP in frame and frame[ARP].pdst == "192.0.2.1":
            return frame
    return None


def closed_until_the_first_policy():
    with counted("policy_fail_closed", "fail_close: nothing passes out before a policy"):
        lan.send(udp(LAN_HOST, WAN_HOST))
    with counted("policy_fail_closed", "fail_close: nor in"):
        wan.send(udp(WAN_HOST, LAN_HOST))
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"to my key server", ("192.0.2.1", 848))
    ok("fail_close: the box itself reaches out", wan.get(lambda f: UDP in f) is not None)


def workers_share_no_iv():
    suite = SUITES[0]
    policy(suite)
    seen = set()
    for i in range(200):
        lan.send(udp(f"10.1.3.{i}", WAN_HOST))
        frame = wan.get(lambda f: ESP in f)
        if frame is None:
            fail("two workers: a packet is missing")
        seen.add(int.from_bytes(bytes(frame[ESP])[8:16], "big"))
    ok("two workers: 200 flows, 200 IVs", len(seen) == 200)
    ok("two workers: both have sent, each in its half of the counters",
       {(iv >> 47) & 1 for iv in seen} == {0, 1} and {iv >> 48 for iv in seen} == {SID})
    out = ctl("hello\n")
    ok("two workers: one bit of the IV tells them apart", "workers=2 core_bits=1" in out)


def raise_ports():
    for p in ("wan", "lan"):
        sh(f"ip link add p-{p} type veth peer name x-{p}")
        sh(f"ip link set p-{p} up; ip link set x-{p} up")
        sh(f"ethtool -K p-{p} tx off tso off gso off gro off >/dev/null;"
           f"ethtool -K x-{p} tx off tso off gso off gro off >/dev/null")
        sh(f"sysctl -qw net.ipv4.conf.x-{p}.arp_ignore=8 net.ipv4.conf.x-{p}.rp_filter=1")
    sh("ip link set lo up")


def raise_espd(words="", device_words=""):
    with open(tmp + "/espd.conf", "w") as f:
        f.write('espd: { control = "%s"; %s };\nports = (\n' % (sock, words))
        f.write('{ name = "wan"; device = "net_af_packet0,iface=p-wan%s"; tap = "wan";'
                ' role = "protected"; },\n' % device_words)
        f.write('{ name = "lan"; device = "net_af_packet1,iface=p-lan%s"; tap = "lan";'
                ' role = "clear"; } );\n' % device_words)
    log = open(tmp + "/espd.log", "a")
    espd = subprocess.Popen([BUILD + "/dataplane/espd", "-n", "-f", tmp + "/espd.conf"],
                            stderr=log, stdout=log)
    end = time.time() + 20
    while not os.path.exists(sock):
        if espd.poll() is not None or time.time() > end:
            fail("espd does not start: " + open(tmp + "/espd.log").read())
        time.sleep(0.05)
    sh("ip addr add 192.0.2.2/30 dev wan; ip addr add 10.1.0.1/30 dev lan")
    sh(f"ip neigh add 192.0.2.1 lladdr {WAN_MAC} dev wan nud permanent")
    sh(f"ip neigh add 10.1.0.2 lladdr {LAN_MAC} dev lan nud permanent")
    sh("ip route add 10.1.0.0/16 via 10.1.0.2; ip route add 10.2.0.0/16 via 192.0.2.1;"
       "ip route add 172.16.0.0/16 via 192.0.2.1")
    time.sleep(0.3)  # the routes' way into espd: no event tells us that they are there
    return espd


def end_espd(process):
    process.send_signal(signal.SIGTERM)
    ok("espd ends cleanly on SIGTERM", process.wait(10) == 0 and not os.path.exists(sock))


espd = None
try:
    raise_ports()
    espd = raise_espd("fail_close = true;")
    lan, wan = Side("x-lan", "lan"), Side("x-wan", "wan")
    closed_until_the_first_policy()
    for s in SUITES:
        opens_what_espd_sends(s)
        espd_opens_what_scapy_sends(s)
        refuses_bad_esp(s)
    policy_decides()
    many_rules_decide_alike()
    lives_end()
    nonces_go_on()
    too_big_is_said()
    nothing_else_passes()
    the_box_itself_is_reached()
    routes_follow_the_kernel()
    end_espd(espd)
    cpus = sorted(os.sched_getaffinity(0))[:2]
    if len(cpus) == 2:
        espd = raise_espd("cores = [ %d, %d ];" % tuple(cpus), ",qpairs=2")
        workers_share_no_iv()
        end_espd(espd)
    text = open(tmp + "/espd.log").read()
    ok("no key is in the log", KEY.hex()[:16] not in text)
    print(f"{n_ok} checks hold")
finally:
    if espd and espd.poll() is None:
        espd.kill()
    shutil.rmtree(tmp, ignore_errors=True)
