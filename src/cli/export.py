#!/usr/bin/env python3
"""A connection that a WebSocket server did not close as it must.

@HEADLINE@

@SENTENCE@
Seen on: @TARGET@

This file plays the same client again, and needs nothing but Python 3:

    python3 FILE HOST PORT [PATH]

@NEEDS@
It exits with 1 if the server does it again, with 0 if it does not, and with 2 if
that could not be found out. The script, as hangup (which made this file) writes it:

@SCRIPT@"""

import select
import socket
import struct
import sys
import time

HOST, PORT = (sys.argv[1:3] + ["127.0.0.1", "9001"])[:2] if len(sys.argv) > 2 else sys.exit(__doc__)
PATH = sys.argv[3].encode() if len(sys.argv) > 3 else @PATH@
# The server's promise, in seconds, and what real time gets on top.
BOUND, SLACK = @BOUND@, @SLACK@
QUESTION, CAUSE = @QUESTION@, @CAUSE@
# Where in what the client sends behind its request the byte stands that obliges the
# server, and the code of the client's Close.
OFFSET, CODE = @OFFSET@, @CODE@
# How many pings the client sends before its Close: so many pongs may come late.
PINGS = @PINGS@
# A client that stops reading has a small window.
STOPS_READING = @DEAF@
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def play(client):
@STEPS@

def request(filler):
    host = ("[%s]" % HOST if ":" in HOST else HOST).encode()
    lines = [
        b"GET %s HTTP/1.1" % PATH,
        b"Host: %s:%s" % (host, PORT.encode()),
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
@HEADERS@    ]
    if filler:
        lines.append(b"X-Filler: " + b"x" * filler)
    return b"\r\n".join(lines) + b"\r\n\r\n"


class Stuck(Exception):
    """What the script waits for did not come: the client does nothing more."""


class CannotTell(Exception):
    """The client does not read, and the server is not on this machine."""


class Client:
    """Acts badly, and remembers when what came."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET6 if ":" in HOST else socket.AF_INET)
        if STOPS_READING:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        self.socket.settimeout(5)
        self.socket.connect((HOST, int(PORT)))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.start = time.monotonic()
        self.pair = (self.socket.getpeername()[1], self.socket.getsockname()[1])
        self.peer_is_here = self.servers_state() is not None
        self.reads = True
        self.was_deaf = self.is_cut = self.is_gone = False
        self.sent, self.sent_at = b"", []
        self.got, self.got_at = b"", []
        self.ended_at, self.was_reset, self.fin_at = None, False, None
        self.gathered, self.awaited = b"", 0

    def now(self):
        return time.monotonic() - self.start

    # What the script says.

    def send(self, data):
        data, self.gathered = self.gathered + data, b""
        until = self.now() + BOUND + 2 * SLACK
        self.wait(0.005)
        while data and not (self.is_cut or self.is_gone):
            try:
                count = self.socket.send(data)
                self.sent += data[:count]
                self.sent_at.append((len(self.sent), self.now()))
                data = data[count:]
            except BlockingIOError:
                self.wait(0.01)
            except OSError:
                break
            if data and self.now() > until:
                raise Stuck
        self.wait(0.005)

    def gather(self, data):
        self.gathered += data

    def send_times(self, data, times, pause):
        for time_ in range(times):
            self.wait(pause if time_ else 0)
            self.send(data)

    def send_pieces(self, data, size, pause):
        for at in range(0, len(data), size):
            self.wait(pause if at else 0)
            self.send(data[at : at + size])

    def wait(self, seconds):
        self.flush()
        self.read(self.now() + seconds, lambda: False)

    def wait_for(self, what):
        self.flush()
        if not self.reads and what == "upgrade":
            return
        if not self.read(self.now() + BOUND + 2 * SLACK, lambda: self.has(what)):
            raise Stuck

    def stop_reading(self):
        self.flush()
        self.reads, self.was_deaf = False, True

    def resume_reading(self):
        self.flush()
        self.reads = True

    def fin(self):
        self.flush()
        if self.fin_at is None and not (self.is_cut or self.is_gone):
            self.fin_at = self.now()
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def reset(self):
        self.flush()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.drop()

    def drop(self):
        self.flush()
        self.is_gone = True
        self.socket.close()

    def cut(self):
        self.flush()
        self.is_cut = self.was_deaf = True

    # How that is done.

    def flush(self):
        if self.gathered:
            self.send(b"")

    def read(self, until, enough):
        """Reads what comes until that time, or until it is enough."""
        while not enough():
            left = until - self.now()
            if left <= 0:
                return False
            if not self.reads or self.is_cut or self.is_gone or self.ended_at is not None:
                time.sleep(left)
            elif select.select([self.socket], [], [], left)[0]:
                self.read_once()
        return True

    def read_once(self):
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data, self.was_reset = b"", True
        if data:
            self.got += data
            self.got_at.append((len(self.got), self.now()))
        else:
            self.ended_at = self.now()

    def has(self, what):
        """Whether that has come since what was waited for last."""
        if what == "end" or self.ended_at is not None:
            return self.ended_at is not None
        head = self.got.find(b"\r\n\r\n")
        if head < 0 or what == "upgrade":
            return head >= 0
        wanted = {"close": (CLOSE,), "message": (TEXT, BINARY), "ping": (PING,), "pong": (PONG,)}[what]
        for at, end, opcode, _ in frames(self.got, head + 4):
            if at >= self.awaited and end is not None and opcode in wanted:
                self.awaited = end
                return True
        return False

    # What is known of it.

    def server_has_ended(self):
        """Whether the server's end has said FIN or is gone, from Linux' table of sockets;
        None where that does not show it, as of a server elsewhere."""
        if self.is_gone or not self.peer_is_here:
            return None
        # 01 is ESTABLISHED, 08 CLOSE_WAIT: both are open on its side.
        return self.servers_state() not in ("01", "08")

    def servers_state(self):
        for name in ("/proc/net/tcp", "/proc/net/tcp6"):
            try:
                with open(name) as table:
                    rows = [line.split() for line in table][1:]
            except OSError:
                continue
            for row in rows:
                local, remote = (int(row[at].split(":")[1], 16) for at in (1, 2))
                if (local, remote) == self.pair:
                    return row[3]
        return None

    def frames(self):
        """The server's frames: begin, end or None, opcode, payload."""
        head = self.got.find(b"\r\n\r\n")
        opened = head >= 0 and self.got.split(b" ", 2)[1:2] == [b"101"]
        return frames(self.got, head + 4) if opened else []

    def opened_at(self):
        head = self.got.find(b"\r\n\r\n")
        return when(self.got_at, head + 4) if head >= 0 else None

    def obliged_at(self):
        """Since when the server has to end the connection."""
        behind = self.sent.find(b"\r\n\r\n") + 4
        if CAUSE == "unfinished handshake":
            return 0
        if CAUSE == "the server's own Close":
            begins = [at for at, _, opcode, _ in self.frames() if opcode == CLOSE]
            return when(self.got_at, begins[0] + 1) if begins else None
        if CAUSE == "the application's close":
            return None if self.opened_at() is None else self.opened_at() + SLACK
        if CAUSE == "the client's FIN":
            return self.fin_at
        if CAUSE == "idle client":
            times = [self.opened_at()] + [at for _, at in self.sent_at]
            return None if None in times else max(times)
        if OFFSET is not None and behind >= 4 and self.opened_at() is not None:
            sent = when(self.sent_at, behind + OFFSET)
            return None if sent is None else max(sent, self.opened_at())
        return None


def when(times, offset):
    """When a stream had got so far."""
    return next((at for length, at in times if length >= offset), None)


def frames(data, at):
    """Takes a server's bytes apart from there on."""
    found = []
    while at < len(data):
        opcode, length, head = data[at] & 0x0F, None, 2
        if len(data) > at + 1:
            short = data[at + 1] & 0x7F
            head += {126: 2, 127: 8}.get(short, 0) + (4 if data[at + 1] & 0x80 else 0)
            wide = {126: 2, 127: 8}.get(short, 0)
            if len(data) >= at + 2 + wide:
                length = int.from_bytes(data[at + 2 : at + 2 + wide], "big") if wide else short
        if length is None or len(data) < at + head + length:
            found.append((at, None, opcode, b""))
            return found
        found.append((at, at + head + length, opcode, data[at + head : at + head + length]))
        at += head + length
    return found


def broken(client):
    """Whether the server did what it must not: a sentence, or None."""
    sent = client.frames()
    closes = [payload for _, end, opcode, payload in sent if opcode == CLOSE and end is not None]
    if QUESTION == "ends in time":
        since = client.obliged_at()
        if since is None:
            return None
        ended = client.ended_at
        if ended is not None and ended <= since + BOUND + SLACK:
            return None
        how = "it is open at %.3f s" % client.now() if ended is None else "it ended at %.3f s" % ended
        return "owed since %.3f s, due at %.3f s: %s" % (since, since + BOUND, how)
    if QUESTION == "answers Close":
        clean = client.ended_at is not None and not client.was_reset and not client.was_deaf
        return "it ended without a Close" if clean and not closes else None
    if QUESTION == "closes once":
        return "it sent %d Closes" % len(closes) if len(closes) > 1 else None
    if QUESTION == "is silent after Close":
        opcodes = [opcode for _, _, opcode, _ in sent]
        later = opcodes[opcodes.index(CLOSE) + 1 :] if CLOSE in opcodes else []
        pongs = later.count(PONG)
        bad = [opcode for opcode in later if opcode != CLOSE and (opcode != PONG or pongs > PINGS)]
        return "after its Close it sent opcode %d" % bad[0] if bad else None
    if QUESTION == "sends a legal Close":
        bad = [payload for payload in closes if not is_legal(payload)]
        return "it sent a Close with %r" % bad[0] if bad else None
    if QUESTION == "echoes the code":
        code = code_of(closes[0]) if closes else CODE
        return "it answered code %s with %s" % (CODE, code) if code != CODE else None
    sys.exit("no such question: " + QUESTION)


def code_of(payload):
    return int.from_bytes(payload[:2], "big") if len(payload) > 1 else None


def is_legal(payload):
    code = code_of(payload)
    if code is None:
        return not payload
    sendable = 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999
    try:
        payload[2:].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return sendable and len(payload) <= 125


def watch(client):
    """After the script: until what is owed is overdue."""
    client.read(client.now() + 2 * SLACK + 0.01, lambda: client.ended_at is not None)
    since = client.obliged_at()
    if since is not None:
        client.read(since + BOUND + SLACK, lambda: client.ended_at is not None)
    is_blind = client.is_cut or not client.reads or client.is_gone
    if QUESTION == "ends in time" and since is not None and client.ended_at is None and is_blind:
        # Who does not read sees no end, and to read now would set the server free.
        ended = client.server_has_ended()
        if ended is None:
            raise CannotTell
        client.ended_at = since + BOUND if ended else None


def main():
    try:
        client = Client()
    except OSError as error:
        print("no connection to %s port %s: %s" % (HOST, PORT, error), file=sys.stderr)
        return 2
    try:
        play(client)
    except Stuck:
        pass
    try:
        watch(client)
    except CannotTell:
        print("the client does not read: only on the server's own machine, with Linux, can be "
              "told whether the server ended the connection", file=sys.stderr)
        return 2
    if client.got and client.got.split(b" ", 2)[1:2] != [b"101"] and client.sent.startswith(b"GET "):
        answer = client.got.split(b"\r\n")[0].decode("latin-1")
        print("the server answered: %s; is PATH right?" % answer, file=sys.stderr)
        return 2
    why = broken(client)
    print("reproduced: " + why if why else "not reproduced")
    return 1 if why else 0


sys.exit(main())
