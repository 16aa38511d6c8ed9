#!/usr/bin/python3
"""gdoi_open.py PCAP KEYLOG OUT - take the encryption off PULL and PUSH messages, apart from our code.

RFC 2409: the first IV of a phase 2 exchange is HASH(last block of phase 1 | message id), the next
ones are the last block of the message before; the key is the beginning of SKEYID_e (AES-256).
RFC 6407: a PUSH is under the KEK named by its cookies, with the IV downloaded beside the key.
OUT gets every ISAKMP packet that is in clear now, for tshark to dissect."""
import hashlib
import json
import logging
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: E402
from scapy.all import IP, UDP, Ether, Raw, raw, rdpcap, wrpcap  # noqa: E402

MAIN_MODE, PULL, PUSH, ENCRYPTED = 2, 32, 33, 1


def decrypt(key, iv, data):
    d = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return d.update(data) + d.finalize()


sas, keks = {}, {}
with open(sys.argv[2], encoding="ascii") as f:
    for k in map(json.loads, f):
        if "cky_i" in k:
            sas[bytes.fromhex(k["cky_i"])] = bytes.fromhex(k["skeyid_e"])[:32]
        if "kek_spi" in k:
            keks[bytes.fromhex(k["kek_spi"])] = bytes.fromhex(k["iv"]), bytes.fromhex(k["key"])

last, out = {}, []
for packet in rdpcap(sys.argv[1]):
    m = bytes(packet[UDP].payload)
    cookie, exchange, flags, message_id, body = m[:8], m[18], m[19], m[20:24], m[28:]
    if not flags & ENCRYPTED:
        out.append(packet)
        continue
    if exchange == MAIN_MODE:
        last[cookie] = body[-16:]
        continue
    if exchange == PUSH and m[:16] in keks:
        iv, key = keks[m[:16]]
        plain = decrypt(key, iv, body)
    elif exchange == PULL and cookie in sas:
        iv = last.get((cookie, message_id)) or hashlib.sha256(last[cookie] + message_id).digest()[:16]
        plain = decrypt(sas[cookie], iv, body)
        last[cookie, message_id] = body[-16:]
    else:
        continue
    clear = Ether(raw(packet))
    clear[UDP].remove_payload()
    del clear[IP].len, clear[IP].chksum, clear[UDP].len, clear[UDP].chksum
    clear.time = packet.time
    out.append(clear / Raw(m[:19] + bytes([flags & ~ENCRYPTED]) + m[20:28] + plain))
wrpcap(sys.argv[3], out)
print(len(out), "messages in clear")
