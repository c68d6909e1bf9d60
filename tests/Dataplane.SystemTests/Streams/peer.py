"""The far end of a stream port, written with Python's standard library alone: another hand's reading of the same framing.

peer.py ADDRESS [CERTIFICATE KEY CA NAME]

ADDRESS is the path of a Unix socket, or host:port. With CA and NAME the stream is TLS 1.3; CERTIFICATE and KEY may be "-" for none. As 10.9.0.2 and
2001:db8:9::2 the peer asks for the hardware address of 10.9.0.1 and 2001:db8:9::1, pings each with payloads of many lengths, and checks every
byte of every answer. It sends in pieces that have nothing to do with where frames begin and end.
"""
import ipaddress
import socket
import ssl
import struct
import sys

OWN_MAC = bytes.fromhex("020000000902")
OWN4, TARGET4 = (ipaddress.ip_address(text).packed for text in ("10.9.0.2", "10.9.0.1"))
OWN6, TARGET6 = (ipaddress.ip_address(text).packed for text in ("2001:db8:9::2", "2001:db8:9::1"))
LENGTHS = list(range(0, 300, 7)) + list(range(1400, 1453))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Stream:
    def __init__(self, address, certificate="-", key="-", ca="", name=""):
        if address.startswith("/"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(address)
        else:
            host, port = address.rsplit(":", 1)
            self.socket = socket.create_connection((host.strip("[]"), int(port)))
        self.socket.settimeout(60)
        if ca:
            context = ssl.create_default_context(cafile=ca)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            if certificate != "-":
                context.load_cert_chain(certificate, key)
            self.socket = context.wrap_socket(self.socket, server_hostname=name)
            print(self.socket.version(), flush=True)

    def send(self, frames):
        data = b"".join(struct.pack(">I", len(frame)) + frame for frame in frames)
        piece = 1
        while data:
            self.socket.sendall(data[:piece])
            data, piece = data[piece:], piece * 2 % 5003 + 1

    def take(self, count):
        data = b""
        while len(data) < count:
            some = self.socket.recv(count - len(data))
            if not some:
                raise SystemExit("the stream has ended")
            data += some
        return data

    def frame(self):
        return self.take(struct.unpack(">I", self.take(4))[0])


def ethernet(target, kind, payload):
    return target + OWN_MAC + struct.pack(">H", kind) + payload


def arp(operation, target_mac, target):
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + OWN_MAC + OWN4 + target_mac + target
    return ethernet(b"\xff" * 6 if operation == 1 else target_mac, 0x0806, body)


def ipv4(payload):
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, 1, 0) + OWN4 + TARGET4
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + payload


def icmpv6(kind, code, rest, target, hops=64):
    body = struct.pack(">BBH", kind, code, 0) + rest
    pseudo = OWN6 + target + struct.pack(">IHBB", len(body), 0, 0, 58)
    body = body[:2] + struct.pack(">H", checksum(pseudo + body)) + body[4:]
    return struct.pack(">IHBB", 0x60000000, len(body), 58, hops) + OWN6 + target + body


def neighbour_advertisement(gateway):
    return ethernet(gateway, 0x86DD, icmpv6(136, 0, struct.pack(">I", 0x60000000) + OWN6 + b"\x02\x01" + OWN_MAC, TARGET6, 255))


def answered(stream, gateway, wanted):
    """The next frame for which wanted() gives something; questions for our own address are answered meanwhile."""
    while True:
        frame = stream.frame()
        kind, body = struct.unpack(">H", frame[12:14])[0], frame[14:]
        if kind == 0x0806 and body[6:8] == b"\0\1" and body[24:28] == OWN4:
            stream.send([arp(2, gateway or body[8:14], TARGET4)])
        elif kind == 0x86DD and body[6] == 58 and body[40] == 135 and body[48:64] == OWN6:
            stream.send([neighbour_advertisement(gateway or frame[6:12])])
        else:
            result = wanted(kind, frame)
            if result is not None:
                return result


def main():
    stream = Stream(*sys.argv[1:])
    stream.send([arp(1, b"\0" * 6, TARGET4)])
    gateway = answered(stream, None, lambda kind, frame: frame[22:28] if kind == 0x0806 and frame[20:22] == b"\0\2" else None)
    assert len(gateway) == 6 and not gateway[0] & 1, gateway.hex()

    solicited = ipaddress.ip_address("ff02::1:ff00:1").packed
    question = icmpv6(135, 0, b"\0" * 4 + TARGET6 + b"\x01\x01" + OWN_MAC, solicited, 255)
    stream.send([ethernet(b"\x33\x33" + solicited[12:], 0x86DD, question)])
    link = answered(stream, gateway, lambda kind, frame: frame[80:86] if kind == 0x86DD and frame[54] == 136 else None)
    assert link == gateway, link.hex()

    payloads = [bytes((number * 31 + length) & 0xFF for number in range(length)) for length in LENGTHS]
    questions4, questions6 = [], []
    for number, payload in enumerate(payloads):
        rest = struct.pack(">HH", 77, number) + payload
        echo = struct.pack(">BBH", 8, 0, checksum(b"\x08\0\0\0" + rest)) + rest
        questions4.append(ethernet(gateway, 0x0800, ipv4(echo)))
        questions6.append(ethernet(gateway, 0x86DD, icmpv6(128, 0, rest, TARGET6)))
    for start in range(0, len(payloads), 16):
        stream.send(questions4[start:start + 16] + questions6[start:start + 16])
        for number, payload in enumerate(payloads[start:start + 16], start):
            rest = struct.pack(">HH", 77, number) + payload
            answer4 = answered(stream, gateway, lambda kind, frame: frame[34:] if kind == 0x0800 else None)
            assert answer4[0] == 0 and answer4[4:] == rest and checksum(answer4) == 0, answer4.hex()
        for number, payload in enumerate(payloads[start:start + 16], start):
            rest = struct.pack(">HH", 77, number) + payload
            answer6 = answered(stream, gateway, lambda kind, frame: frame[54:] if kind == 0x86DD else None)
            assert answer6[0] == 129 and answer6[4:] == rest, answer6.hex()
    print(f"{2 * len(payloads)} echoes", flush=True)


main()
