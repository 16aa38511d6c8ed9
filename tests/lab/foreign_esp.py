#!/usr/bin/python3
"""foreign_esp.py tshark|scapy|send KEYLOG PCAP COUNT - our ESP in the hands of others.

tshark, scapy: open at least COUNT packets of PCAP with the keys of KEYLOG; every inner packet must
carry the addresses of its outer header.
send: build COUNT echo requests from the sender of the last packet in PCAP that came from 10.2.0.10,
under its SPI, and one more with a broken check value."""
import json
import logging
import subprocess
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import ESP, ICMP, IP, Raw, SecurityAssociation, conf, raw, rdpcap  # noqa: E402

how, keylog, pcap, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def teks():
    """SPI -> (transform, key octets); the salt of GCM and the HMAC key of CBC are at its end."""
    out = {}
    with open(keylog, encoding="ascii") as f:
        for entry in map(json.loads, f):
            if "tek_spi" in entry:
                out[int(entry["tek_spi"], 16)] = (entry["alg"], bytes.fromhex(entry["key"]))
    return out


def split(alg, key):
    if alg.startswith("esp-gcm"):
        return key, b""
    return key[:-32], key[-32:]  # HMAC-SHA-256


def association(spi, src, dst):
    alg, key = teks()[spi]
    crypt, auth = split(alg, key)
    if alg.startswith("esp-gcm"):
        return SecurityAssociation(ESP, spi=spi, crypt_algo="AES-GCM", crypt_key=crypt,
                                   tunnel_header=IP(src=src, dst=dst))
    return SecurityAssociation(ESP, spi=spi, crypt_algo="AES-CBC", crypt_key=crypt,
                               auth_algo="SHA2-256-128", auth_key=auth,
                               tunnel_header=IP(src=src, dst=dst))


def by_scapy():
    n = 0
    for packet in rdpcap(pcap):
        outer = packet[IP]
        inner = association(outer[ESP].spi, outer.src, outer.dst).decrypt(IP(raw(outer)))
        if (inner.src, inner.dst) != (outer.src, outer.dst):
            sys.exit(f"inner {inner.src} > {inner.dst}, outer {outer.src} > {outer.dst}")
        n += 1
    return n


def by_tshark():
    command = ["tshark", "-r", pcap, "-o", "esp.enable_encryption_decode:TRUE", "-T", "fields",
               "-e", "ip.src", "-e", "ip.dst", "-e", "esp.decrypted_data", "-Y", "esp"]
    for spi, (alg, key) in teks().items():
        crypt, auth = split(alg, key)
        names = (("AES-GCM [RFC4106]", "NULL") if alg.startswith("esp-gcm")
                 else ("AES-CBC [RFC3602]", "HMAC-SHA-256-128 [RFC4868]"))
        command += ["-o", f'uat:esp_sa:"IPv4","*","*","0x{spi:08x}","{names[0]}","0x{crypt.hex()}",'
                    f'"{names[1]}","{"0x" + auth.hex() if auth else ""}"']
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    n = 0
    for line in said.splitlines():
        src, dst, data = (line.split("\t") + ["", ""])[:3]
        # CBC: tshark dissects what is inside, so the addresses come in pairs.
        inner = IP(bytes.fromhex(data)) if data else None
        got = (inner.src, inner.dst) if inner else tuple(a.split(",")[-1] for a in (src, dst))
        if not data and "," not in src:
            sys.exit(f"not opened: {line}")
        if got != (src.split(",")[0], dst.split(",")[0]):
            sys.exit(f"inner {got}, outer {src} > {dst}")
        n += 1
    return n


def send():
    last = [p[IP] for p in rdpcap(pcap) if p[IP].src == "10.2.0.10"][-1]
    sa = association(last[ESP].spi, last.src, last.dst)
    socket = conf.L3socket()
    for i in range(count + 1):
        inner = IP(src=last.src, dst=last.dst) / ICMP(id=7, seq=i) / Raw(b"built by scapy")
        # A sender id that no member has, so that no nonce of theirs is used again.
        iv = bytes.fromhex("fffffe00000000") + bytes([i + 1])
        gcm = teks()[last[ESP].spi][0].startswith("esp-gcm")
        packet = sa.encrypt(inner, seq_num=i + 1, iv=iv if gcm else None)
        if i == count:
            packet[ESP].data = packet[ESP].data[:-1] + bytes([packet[ESP].data[-1] ^ 1])
        socket.send(packet)
    return count


n = {"tshark": by_tshark, "scapy": by_scapy, "send": send}[how]()
if n < count:
    sys.exit(f"{n} packets, {count} wanted")
