"""open_pushes.py PCAP KEYLOG - which rekeys of a capture do the KEKs of a key log open?

Prints one JSON object: the different rekeys (GROUPKEY-PUSH, by content), how many of them some KEK
of the log opens, and how many it does not. Every KEK is tried on every rekey, whatever its cookies
say. A rekey is open when its first payload is a sequence number followed by what a rekey may have.
"""
import json
import struct
import subprocess
import sys

PUSH, SEQ = 33, 18
AFTER_SEQ = {1, 9, 12}  # SA, SIG, Delete


def datagrams(path):
    """UDP payloads of port 848 in a pcap of Ethernet frames."""
    data = open(path, "rb").read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at = 24
    while at + 16 <= len(data):
        length = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        frame = data[at + 16:at + 16 + length]
        at += 16 + length
        if frame[12:14] != b"\x08\x00" or frame[23] != 17:
            continue
        udp = 14 + (frame[14] & 15) * 4
        if struct.unpack(">H", frame[udp + 2:udp + 4])[0] == 848:
            yield frame[udp + 8:udp + struct.unpack(">H", frame[udp + 4:udp + 6])[0]]


def opens(kek, message):
    """Does this KEK decrypt the message to the beginning of a rekey?"""
    name = "-aes-%d-cbc" % (len(kek["key"]) * 4)
    plain = subprocess.run(["openssl", "enc", "-d", name, "-nopad", "-K", kek["key"], "-iv",
                            kek["iv"]], input=message[28:], stdout=subprocess.PIPE,
                           check=True).stdout
    return plain[0] in AFTER_SEQ and plain[1:4] == b"\x00\x00\x08"


def main():
    rekeys = {d for d in datagrams(sys.argv[1]) if len(d) > 28 and d[18] == PUSH and d[16] == SEQ}
    lines = [json.loads(line) for line in open(sys.argv[2], encoding="ascii")]
    keks = [line for line in lines if "kek_spi" in line]
    n_open = sum(any(opens(k, d) for k in keks) for d in rekeys)
    print(json.dumps({"rekeys": len(rekeys), "keks": len(keks), "open": n_open,
                      "closed": len(rekeys) - n_open}))


main()
