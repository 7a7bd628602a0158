import urllib.parse


def address(arguments):
    """Host, port and path of the arguments: a URL, or in words of their own."""
    usage = "usage: python3 %s HOST PORT [PATH], or ws://HOST:PORT/PATH" % shlex.quote(sys.argv[0])
    path = @PATH@
    if len(arguments) == 1 and "://" in arguments[0]:
        try:
            url = urllib.parse.urlsplit(arguments[0])
            host, port = url.hostname, url.port or 80
        except ValueError as error:
            cannot("%s: %s; %s" % (arguments[0], error, usage))
        if url.scheme != "ws" or not host:
            cannot("%s: no ws:// URL with a host (TLS is not spoken here); %s" % (arguments[0], usage))
        if url.path:
            path = url.path.encode() + (b"?" + url.query.encode() if url.query else b"")
    elif len(arguments) == 1:
        cannot("PORT is missing after %s; %s" % (arguments[0], usage))
    elif 2 <= len(arguments) <= 3:
        host = arguments[0]
        if not (arguments[1].isascii() and arguments[1].isdigit()):
            cannot("PORT is no number: %s; %s" % (arguments[1], usage))
        port = int(arguments[1])
        if len(arguments) == 3:
            path = arguments[2].encode()
    else:
        cannot(usage)
    if not 0 < port < 65536:
        cannot("there is no port %d; %s" % (port, usage))
    if not path.startswith(b"/") or any(byte <= 32 or byte > 126 for byte in path):
        cannot("PATH begins with / and has no spaces, but %r; %s" % (path, usage))
    return host, port, path


HOST, PORT, PATH = address(sys.argv[1:])
PLACE, DOES_IT_CLOSE = "to %s port %d" % (HOST, PORT), "does the application close at PATH?"
NO_OPENING = "the server answered: %s; is PATH right?"
# Whether the server masks its frames, and a Close without a code as the client sends it.
MASKED, EMPTY_CLOSE = False, b"\x88\x80\x00\x00\x00\x00"
# What is asked of servers alone.
OTHER_QUESTIONS = {}


def connected(window):
    """A connection with the server."""
    connection = socket.socket(socket.AF_INET6 if ":" in HOST else socket.AF_INET)
    if window:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    connection.settimeout(5)
    connection.connect((HOST, PORT))
    return connection


def request(filler):
    host = ("[%s]" % HOST if ":" in HOST else HOST).encode()
    lines = [
        b"GET %s HTTP/1.1" % PATH,
        b"Host: %s:%d" % (host, PORT),
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
@HEADERS@    ]
    if filler:
        lines.append(b"X-Filler: " + b"x" * filler)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def opening(client):
    """What opens the connection, and when it came: the server's answer."""
    return client.got, client.got_at


def is_opening(got):
    return got.split(b" ", 2)[1:2] == [b"101"]


def accepts(client):
    """Whether the server answers the key that the client sends (RFC 6455, 1.3)."""
    return client.header(b"sec-websocket-accept") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def closes_for_the_polite():
    """Whether the application closes at PATH for a client that reads."""
    client = Client()
    client.send(request(0))
    return client.read(BOUND + SLACK, lambda: client.has_closed() or client.ended_at is not None)
