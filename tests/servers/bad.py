"""A WebSocket server in plain Python that closes well, or gets one thing wrong.

    python3 bad.py FAULT [SECONDS [BYTES]]

FAULT is control, reads-late, waits, keeps-tcp, silent, seldom, crowded, drip, cuts, hangs-up, resets, floods,
opens-ten, gives-up, aborts, dies-of-reset or leaks.

`control` gives every closing SECONDS (5) from what begins it, and then drops the
connection. `waits` sends its Close and waits for ever, `keeps-tcp` answers a Close
and never ends TCP, `silent` never answers one, `drip` gives SECONDS anew with
everything that comes, `cuts` ends TCP where it should answer, `resets` does so by RST,
and `hangs-up` ends TCP with its own Close. `crowded` is silent while more than forty
connections are open, and `seldom` on every tenth WebSocket. `reads-late` is right as well: its application
closes soon after the opening, and reads nothing before that. So is `floods`: it sends messages
of BYTES (64 KiB) as fast as they are taken, until its Close. So is `gives-up`: it resets who leaves what it
sends unread, after SECONDS. `opens-ten` opens for ten clients, and answers no other. Three take their process down:
`aborts` at a ping behind its own Close, `dies-of-reset` at a reset behind the opening, and
`leaks` 2 MiB with each connection, until it is killed at 96 MiB more than it began with.
It listens on $PORT, or on a free port.
On /bye it closes on open, on /push it sends unasked, on /echo it echoes.
"""

import asyncio
import base64
import codecs
import hashlib
import os
import signal
import socket
import struct
import sys

FAULT = sys.argv[1]
LIMIT = float(sys.argv[2]) if len(sys.argv) > 2 else 5.0
FLOOD = b"x" * int(sys.argv[3] if len(sys.argv) > 3 else 65536)
KEPT, MOST_KEPT = [], 48
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Failed(Exception):
    """The client broke the protocol: the code says how."""


class Connection(asyncio.Protocol):
    open = opened = 0

    def connection_made(self, transport):
        Connection.open += 1
        self.transport, self.timer, self.push, self.sent_close = transport, None, None, False
        self.have, self.parser = bytearray(), self.parse()
        self.wanted = next(self.parser)
        self.path = self.unread = None
        if FAULT == "leaks":
            KEPT.append(b"x" * (2 << 20))
            if len(KEPT) > MOST_KEPT:
                os.kill(os.getpid(), signal.SIGKILL)

    def connection_lost(self, error):
        if FAULT == "dies-of-reset" and self.path and isinstance(error, ConnectionResetError):
            os._exit(3)
        Connection.open -= 1
        for timer in (self.timer, self.push):
            if timer:
                timer.cancel()

    def eof_received(self):
        self.begin_closing()  # and asyncio closes once all is sent

    def data_received(self, data):
        if FAULT == "drip" and self.timer:
            self.timer.cancel()
            self.timer = asyncio.get_running_loop().call_later(LIMIT, self.transport.abort)
        self.have += data
        try:
            while self.parser and len(self.have) >= self.wanted:
                taken = bytes(self.have[: self.wanted])
                del self.have[: self.wanted]
                self.wanted = self.parser.send(taken)
        except Failed as failed:
            self.close(failed.args[0])
            self.finish()
        except StopIteration:
            self.parser = None

    def begin_closing(self):
        if not self.timer and not (FAULT == "waits" and self.sent_close and self.parser):
            self.timer = asyncio.get_running_loop().call_later(LIMIT, self.transport.abort)

    def send(self, opcode, payload):
        length = len(payload)
        head = bytes([0x80 | opcode])
        if length < 126:
            head += bytes([length])
        else:
            head += struct.pack("!BH", 126, length) if length < 65536 else struct.pack("!BQ", 127, length)
        if not self.sent_close and not self.transport.is_closing():
            self.transport.write(head + payload)
        if FAULT == "gives-up" and self.transport.get_write_buffer_size() and not self.unread:
            self.unread = asyncio.get_running_loop().call_later(LIMIT, self.give_up)

    def give_up(self):
        self.unread = None
        if self.transport.get_write_buffer_size():
            linger = struct.pack("ii", 1, 0)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()

    def close(self, code):
        self.send(CLOSE, struct.pack("!H", code) if code else b"")
        self.sent_close = True
        self.begin_closing()

    def finish(self):
        """Nothing more is said, and nothing more is wanted but the client's FIN."""
        self.parser = None
        if FAULT != "keeps-tcp":
            self.begin_closing()
            self.transport.write_eof()
        elif self.timer:
            self.timer.cancel()

    def parse(self):
        """Asks for so many bytes at a time, and is sent them."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += yield 1
            if len(head) > 100_000:
                self.transport.abort()
        line, *headers = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (h.partition(":") for h in headers)}
        key = headers.get("sec-websocket-key")
        Connection.opened += 1
        self.number = Connection.opened
        if FAULT == "opens-ten" and Connection.opened > 10:
            yield 1 << 30
        if not line.startswith("GET ") or not key:
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            self.transport.close()
            return
        accept = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(accept) + b"\r\n\r\n"
        )
        self.path = line.split(" ")[1]
        if self.path == "/bye":
            self.close(1000)
            if FAULT == "hangs-up":
                self.transport.close()
        if FAULT == "reads-late":
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(LIMIT / 10, self.close_and_read)
        if FAULT == "floods":
            self.flood()
        elif self.path == "/push":
            self.push_always()
        yield from self.frames()

    def close_and_read(self):
        self.close(1000)
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def push_always(self):
        self.send(TEXT, b"news")
        self.push = asyncio.get_running_loop().call_later(0.1, self.push_always)

    def flood(self):
        loop = asyncio.get_running_loop()
        room = 1 << 20
        while self.transport.get_write_buffer_size() < room and not self.sent_close:
            if self.transport.is_closing():
                return
            for _ in range(max(1, 65536 // (len(FLOOD) + 4))):
                self.send(TEXT, FLOOD)
            room -= 65536
        if not self.sent_close:
            self.push = loop.call_later(0.001, self.flood)

    def frames(self):
        message = None
        while True:
            (first,) = yield 1
            fin, opcode = first & 0x80, first & 0x0F
            fresh = opcode in (TEXT, BINARY)
            control = opcode in (CLOSE, PING, PONG) and fin
            if first & 0x70 or not (control or fresh or opcode == CONTINUATION):
                raise Failed(1002)
            if fresh == (message is not None) and not control:
                raise Failed(1002)
            (second,) = yield 1
            length = second & 0x7F
            if not second & 0x80 or (control and length > 125):
                raise Failed(1002)
            if length > 125:
                (top,) = yield 1
                if length == 127 and top & 0x80:
                    raise Failed(1002)
                length = int.from_bytes(bytes([top]) + (yield (1 if length == 126 else 7)), "big")
            mask = yield 4
            if fresh:
                check = codecs.getincrementaldecoder("utf-8")() if opcode == TEXT else None
                message = [opcode, check, b""]
            payload = yield from self.payload(length, mask, None if control else message[1])
            if opcode == CLOSE:
                return self.closed(payload)
            if opcode == PING and FAULT == "aborts" and self.sent_close:
                os.abort()
            if opcode == PING:
                self.send(PONG, payload)
            if not control:
                message[2] += payload
                if fin:
                    self.check(message[1], b"", True)
                    if self.path == "/echo":
                        self.send(message[0], message[2])
                    message = None

    def payload(self, length, mask, check):
        out = bytearray()
        while len(out) < length:
            # All that is there, so that bad text is found at the byte that proves it. In one step, since
            # a byte at a time costs a second of processor time for six MiB, and whoever waits for that looks deaf.
            data = yield max(1, min(length - len(out), len(self.have)))
            turned = len(out) % 4
            key = ((mask[turned:] + mask[:turned]) * (len(data) // 4 + 1))[: len(data)]
            data = (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(len(data), "big")
            self.check(check, data, False)
            out += data
        return bytes(out)

    def check(self, decoder, data, final):
        try:
            if decoder:
                decoder.decode(data, final)
        except UnicodeDecodeError:
            raise Failed(1007) from None

    def closed(self, payload):
        crowded = FAULT == "crowded" and Connection.open > 40
        if FAULT == "silent" or crowded or (FAULT == "seldom" and self.number % 10 == 0):
            return
        if FAULT in ("cuts", "resets") and not self.sent_close:
            if FAULT == "resets":
                linger = struct.pack("ii", 1, 0)
                self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.close()
            return
        code = struct.unpack("!H", payload[:2])[0] if len(payload) > 1 else None
        good = code in range(1000, 1015) and code not in (1004, 1005, 1006) or code in range(3000, 5000)
        if len(payload) == 1 or (code is not None and not good):
            raise Failed(1002)
        self.check(codecs.getincrementaldecoder("utf-8")(), payload[2:], True)
        self.close(code)
        self.finish()


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", int(os.environ.get("PORT", 0)), backlog=1024)
    print("listens on ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
