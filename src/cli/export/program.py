#!/usr/bin/env python3
"""Plays a client that misbehaves, and tells whether the WebSocket server breaks a rule of closing.

@HEADLINE@

@SENTENCE@
Seen on: @TARGET@

This file plays the same client again, and needs nothing but Python 3:

@USAGE@
@NEEDS@
Exit code: 1 if the server does it again, 0 if it does not, 2 if the test is inconclusive.
The script, as hangup (which made this file) writes it:

@SCRIPT@"""

import select
import shlex
import socket
import struct
import sys
import time


def cannot(why):
    """Ends with 2: nothing was found out."""
    print("inconclusive: " + why, file=sys.stderr)
    sys.exit(2)


@REACH@
# The time that the server is allowed, in seconds, and what real time gets on top.
BOUND, SLACK = @BOUND@, @SLACK@
QUESTION, CAUSE = @QUESTION@, @CAUSE@
# What obliges the server, for people.
SINCE = @SINCE@
# What exactly was seen.
SYMPTOM = @SYMPTOM@
# Where in what the client sends after its request the byte stands that obliges the
# server, and the code of the client's Close.
OFFSET, CODE = @OFFSET@, @CODE@
# How many pings the client sends before its Close: so many pongs may come late.
PINGS = @PINGS@
# Whether the script opens a WebSocket, and has the application close.
OPENS, APP_CLOSES = @OPENS@, @CLOSES@
# What real time and a socket cannot do as exactly as the script asks for: that the server does
# not show it here does not say that it never does.
INEXACT = @INEXACT@
# A client that stops reading has a small window.
STOPS_READING = @DEAF@
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
# A client can answer a Close no sooner than so, over a network.
AT_ONCE = 0.1


def play(client):
@STEPS@

class Stuck(Exception):
    """What the script waits for did not come: the client does nothing more."""


class CannotTell(Exception):
    """Nothing follows from what was seen."""


class Client:
    """Acts badly, and remembers when what came."""

    def __init__(self):
        self.socket = connected(2304 if STOPS_READING else None)
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
        # Whether the server was gone before its Close could be answered.
        self.close_dropped = False

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
                raise Stuck("room to send")
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
            raise Stuck(what)

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

    def has_closed(self):
        """Whether a whole Close has come."""
        return any(opcode == CLOSE and end is not None for _, end, opcode, _ in self.frames())

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
        opened = head >= 0 and is_opening(self.got)
        return frames(self.got, head + 4) if opened else []

    def header(self, wanted):
        for line in self.got.split(b"\r\n\r\n")[0].split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == wanted:
                return value.strip()
        return None

    def answer_late(self):
        """Answers the server's Close after the time in which nobody can: is it gone by then?"""
        closed = [end for _, end, opcode, _ in self.frames() if opcode == CLOSE and end is not None]
        if not closed or self.is_gone:
            return
        closed_at = when(self.got_at, closed[0])
        self.read(closed_at + AT_ONCE, lambda: False)
        if self.ended_at is None or self.ended_at > closed_at + AT_ONCE:
            return
        # A FIN alone is no end: who reads on takes the answer, who is gone resets it.
        try:
            self.socket.send(EMPTY_CLOSE)
            time.sleep(AT_ONCE)
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        except OSError:
            error = 1
        self.close_dropped = self.was_reset or error != 0

    def opened_at(self):
        data, times = opening(self)
        head = data.find(b"\r\n\r\n")
        return when(times, head + 4) if head >= 0 else None

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
        payload = data[at + head : at + head + length]
        if data[at + 1] & 0x80:
            mask = data[at + head - 4 : at + head]
            payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        found.append((at, at + head + length, opcode, payload))
        at += head + length
    return found


def broken(client):
    """What the server did that it must not, as a sentence; "" if it was seen not to do it."""
    sent = client.frames()
    closes = [payload for _, end, opcode, payload in sent if opcode == CLOSE and end is not None]
    part = any(end is None for _, end, opcode, _ in sent if opcode == CLOSE)
    ended = client.ended_at is not None
    deaf = client.was_deaf and not ended
    if QUESTION == "ends in time":
        since = client.obliged_at()
        if since is None:
            raise CannotTell("nothing obliged the server to end the connection: its application "
                             "did not close it, or the client's bytes did not get there")
        if ended and client.ended_at <= since + BOUND + SLACK:
            return ""
        how = "it ended it at %.3f s" % client.ended_at if ended else "it is still open at %.3f s" % client.now()
        return ("the server had to end the connection by %.3f s (%s at %.3f s); %s"
                % (since + BOUND, SINCE, since, how))
    if QUESTION == "answers Close":
        if closes:
            return ""
        if ended and not client.was_reset and not client.was_deaf:
            return "it ended within its Close" if part else "it ended without a Close"
        raise CannotTell("no Close came, and no clean end")
    if QUESTION == "sends Close":
        if closes:
            return ""
        if ended and not client.was_deaf:
            return "it ended within its Close" if part else "it ended without a Close"
        raise CannotTell("no Close came, and no end: " + DOES_IT_CLOSE)
    if QUESTION == "ends with a Close":
        if closes or not (ended or deaf):
            return ""
        if ended and not client.was_deaf:
            return "it ended by itself, without a Close"
        raise CannotTell("the client did not read")
    if QUESTION == "waits for answer":
        return hurried(client, closes)
    if QUESTION == "sends valid frames":
        if not accepts(client):
            return "its Sec-WebSocket-Accept is %r" % client.header(b"sec-websocket-accept")
        if not sent:
            raise CannotTell("the server sent no frame")
        return misframed(client)
    if QUESTION == "refuses what is illegal":
        return unrefused(client, closes, ended)
    if QUESTION in OTHER_QUESTIONS:
        return OTHER_QUESTIONS[QUESTION](client)
    if not closes:
        if QUESTION == "accepts what is legal" and CODE is None and OFFSET is None and not ended:
            return ""
        if QUESTION == "sends a legal Close" and ended and not client.was_deaf:
            return ""
        raise CannotTell("the server sent no Close")
    if QUESTION == "accepts what is legal":
        code = code_of(closes[0])
        return "it answered code %d" % code if code in (1002, 1007) else ""
    if QUESTION == "closes once":
        return "it sent %d Closes" % len(closes) if len(closes) > 1 else ""
    if QUESTION == "is silent after Close":
        opcodes = [opcode for _, _, opcode, _ in sent]
        later = opcodes[opcodes.index(CLOSE) + 1 :]
        pongs = later.count(PONG)
        bad = [opcode for opcode in later if opcode != CLOSE and (opcode != PONG or pongs > PINGS)]
        return "after its Close it sent opcode %d" % bad[0] if bad else ""
    if QUESTION == "sends a legal Close":
        if any(opcode == CLOSE and not client.got[at] & 0x80 for at, _, opcode, _ in sent):
            return "it sent a Close without FIN"
        bad = [payload for payload in closes if not is_legal(payload)]
        return "it sent a Close with %r" % bad[0] if bad else ""
    if QUESTION == "echoes the code":
        code = code_of(closes[0])
        return "it answered code %s with %s" % (CODE, code) if code != CODE else ""
    raise CannotTell("no such question: " + QUESTION)


def hurried(client, closes):
    """Whether the server was gone before the client could answer its Close."""
    if client.was_reset and not closes and not client.was_deaf:
        return "it reset the connection before its Close could be read"
    if not closes:
        raise CannotTell("the server sent no Close: " + DOES_IT_CLOSE)
    if client.close_dropped:
        return "it ended the connection with its Close, before an answer could come"
    return ""


def unrefused(client, closes, ended):
    """What the server did with the client's violation, where that is what is asked."""
    sent = client.obliged_at() if CAUSE == "the client's protocol violation" else 0
    if sent is None:
        raise CannotTell("the client's violation did not get there")
    code = code_of(closes[0]) if closes else None
    if closes and code in @FITTING@:
        return ""
    if SYMPTOM.startswith("refuses a violation with a code"):
        return "it closed with code %s" % code if closes else ""
    if SYMPTOM.startswith(("ends on a violation", "resets on a violation")):
        if closes:
            return ""
        if ended and client.was_reset == ("reset" in SYMPTOM):
            return "it %s without a Close" % ("reset the connection" if client.was_reset else "ended")
        if ended or not client.was_deaf:
            return ""
        raise CannotTell("the client did not read")
    if closes:
        # What came after a Close is discarded: an answer to it is an answer to the violation.
        return "it went on, and closed with code %s" % code
    if not ended and not client.was_deaf:
        return "it went on: the connection is open at %.3f s" % client.now()
    if not ended:
        raise CannotTell("the client did not read")
    return ""


def misframed(client):
    """The first thing that is wrong with what the server sent, or ""."""
    text, message = b"", None
    for begin, end, opcode, payload in client.frames():
        first, second = client.got[begin], client.got[begin + 1 : begin + 2]
        if first & 0x70 or opcode not in (0, TEXT, BINARY, CLOSE, PING, PONG):
            return "it sent what is no frame: first byte %02x" % first
        if second and bool(second[0] & 0x80) != MASKED:
            return "it sent a frame %s a mask" % ("without" if MASKED else "with")
        if end is None:
            break
        short, length = second[0] & 0x7F, len(payload)
        if (short == 126 and length < 126) or (short == 127 and length < 65536):
            return "it sent a length wider than it needs"
        if opcode >= 8:
            if not first & 0x80 or length > 125:
                return "it sent a control frame that is fragmented, or too long"
            continue
        if (opcode == 0) != (message is not None):
            return "it sent a fragment out of place"
        message = opcode if opcode else message
        text += payload if message == TEXT else b""
        if first & 0x80:
            try:
                text.decode("utf-8")
            except UnicodeDecodeError:
                return "it sent text that is not UTF-8: %r" % text[:32]
            text, message = b"", None
    return ""


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
    if QUESTION == "waits for answer":
        client.read(client.now() + BOUND, lambda: client.ended_at is not None or client.has_closed())
        client.answer_late()
        return
    since = client.obliged_at()
    if since is None and QUESTION != "ends in time":
        since = client.now()
    if since is not None:
        client.read(since + BOUND + SLACK, lambda: client.ended_at is not None)
    is_blind = client.is_cut or not client.reads or client.is_gone
    if QUESTION == "ends in time" and since is not None and client.ended_at is None and is_blind:
        # Who does not read sees no end, and to read now would set the server free.
        ended = client.server_has_ended()
        if ended is None:
            raise CannotTell("the client does not read: only on the server's own machine, with "
                             "Linux, can be told whether the server ended the connection")
        client.ended_at = since + BOUND if ended else None


def find_out():
    """What the server did that it must not; "" if it was seen not to."""
    try:
        client = Client()
    except OSError as error:
        raise CannotTell("no connection %s: %s" % (PLACE, error))
    stuck = None
    try:
        play(client)
    except Stuck as what:
        stuck = "the script waits for what did not come: %s" % what
    watch(client)
    first = client.got.split(b"\r\n")[0]
    if OPENS and first and not is_opening(client.got):
        raise CannotTell(NO_OPENING % first.decode("latin-1"))
    if OPENS and not first and not client.was_deaf:
        raise CannotTell("the server sent nothing at the opening")
    why = broken(client)
    if why and CAUSE == "the application's close" and QUESTION == "ends in time":
        if not client.has_closed() and not closes_for_the_polite():
            raise CannotTell("no Close of its application is seen: " + DOES_IT_CLOSE)
    if not why and stuck:
        raise CannotTell(stuck)
    if not why and INEXACT:
        raise CannotTell("the server did not do it here, but %s" % INEXACT)
    return why


def main():
    try:
        why = find_out()
    except CannotTell as error:
        cannot(str(error))
    except (Exception, KeyboardInterrupt) as error:
        cannot("%s: %s" % (type(error).__name__, error))
    print("reproduced: " + why if why else "not reproduced")
    return 1 if why else 0


sys.exit(main())
