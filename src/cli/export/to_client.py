import base64
import hashlib


def port(arguments):
    """The port of the arguments; 0, for a free one, where there are none."""
    usage = "usage: python3 %s [PORT]" % shlex.quote(sys.argv[0])
    if not arguments:
        return 0
    if len(arguments) > 1 or not (arguments[0].isascii() and arguments[0].isdigit()):
        cannot("PORT is no number: %s; %s" % (" ".join(arguments), usage))
    if int(arguments[0]) > 65535:
        cannot("there is no port %s; %s" % (arguments[0], usage))
    return int(arguments[0])


PORT = port(sys.argv[1:])
# How long a client is waited for, in seconds.
PATIENCE = 60
PLACE, DOES_IT_CLOSE = "from a client in %d s" % PATIENCE, "does its application close?"
NO_OPENING = "the client began with: %s; that is no opening request"
# Whether the client masks its frames, and a Close without a code as the server sends it.
MASKED, EMPTY_CLOSE = True, b"\x88\x00"
# What answers the key of the RFC's example (1.3): in its place the answer to the client's own is sent.
EXAMPLE = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def connected(window):
    """The connection of the first client that comes."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if window:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    listener.bind(("127.0.0.1", PORT))
    listener.listen(1)
    listener.settimeout(PATIENCE)
    print("listening: ws://127.0.0.1:%d/" % listener.getsockname()[1], flush=True)
    connection, _ = listener.accept()
    listener.close()
    return connection


def opening(server):
    """What opens the connection, and when it was sent: the server's answer."""
    return server.sent, server.sent_at


def is_opening(got):
    return got.startswith(b"GET ")


def answering(server, data):
    """A part of the server's answer, for the key that the client sent."""
    key = server.header(b"sec-websocket-key") or b""
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return data.replace(EXAMPLE, base64.b64encode(digest))


def accepts(_):
    return True


def closes_for_the_polite():
    """Its program decides whether it closes; nobody can ask it again."""
    return True


def ends_tcp_first(server):
    """Whether the client ended TCP as soon as both Closes were there, or its own alone."""
    ends = [end for _, end, opcode, _ in server.frames() if opcode == CLOSE and end is not None]
    behind = server.sent.find(b"\r\n\r\n") + 4
    sent = None if OFFSET is None else when(server.sent_at, behind + OFFSET)
    if SYMPTOM.startswith("ends with its Close"):
        if not ends:
            raise CannotTell("no Close came: " + DOES_IT_CLOSE)
        own = when(server.got_at, ends[0])
        if server.ended_at is None or server.ended_at > own + SLACK:
            return ""
        return "its Close was there at %.3f s, and it ended TCP at %.3f s" % (own, server.ended_at)
    if not ends or sent is None:
        raise CannotTell("not both Closes came: " + DOES_IT_CLOSE)
    both = max(sent, when(server.got_at, ends[0]))
    if server.ended_at is None or server.ended_at > both + SLACK:
        return ""
    return "both Closes were there at %.3f s, and it ended TCP at %.3f s" % (both, server.ended_at)


def masks_alike(server):
    """Whether all the client's frames have the same masking key."""
    whole = [(end, payload) for _, end, _, payload in server.frames() if end is not None]
    keys = [server.got[end - len(payload) - 4 : end - len(payload)] for end, payload in whole]
    if len(keys) < 2:
        raise CannotTell("the client sent less than two frames")
    return "it masked all its frames with %s" % keys[0].hex() if len(set(keys)) == 1 else ""


def opens_on_it(server):
    """Whether the client sent a frame although the 101 does not answer its request."""
    for _, end, opcode, payload in server.frames():
        if end is not None and (opcode != CLOSE or code_of(payload) not in (1002, 1007)):
            return "it sent a frame at %.3f s, as if a WebSocket were open" % when(server.got_at, end)
    if server.ended_at is not None:
        return ""
    raise CannotTell("the client stayed, and sent nothing that says whether it opened the WebSocket")


# What is asked of clients alone.
OTHER_QUESTIONS = {
    "lets the server close TCP": ends_tcp_first,
    "has fresh masking keys": masks_alike,
    "refuses a bad opening": opens_on_it,
}
