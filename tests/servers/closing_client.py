"""A WebSocket client that closes once it is open: python3 closing_client.py HOW URL [CA].

for-ever: its close waits for the server for ever. deadline: for half a second. stays: as that, and the
program does not end. aborts: as that, and it aborts. leaves: it ends the connection before it sends anything.
With wss:// it trusts the certificates in the file CA, or those that Python does by default; one that
leaves trusts any."""
import os, socket, ssl, sys, time
from urllib.parse import urlsplit

how, url = sys.argv[1], urlsplit(sys.argv[2])
ws = socket.create_connection((url.hostname, url.port))
if url.scheme == "wss":
    tls = ssl.create_default_context(cafile=sys.argv[3] if sys.argv[3:] else None)
    if how == "leaves":
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    ws = tls.wrap_socket(ws, server_hostname=url.hostname)
if how == "leaves":
    sys.exit()
ws.sendall(b"GET / HTTP/1.1\r\nHost: %b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % url.netloc.encode())
head = b""
while not head.endswith(b"\r\n\r\n"):
    head += ws.recv(1) or sys.exit("no answer")
mask = os.urandom(4)
ws.sendall(b"\x88\x82" + mask + bytes([3 ^ mask[0], 0xE8 ^ mask[1]]))
end = time.monotonic() + 0.5
try:
    while how == "for-ever" or time.monotonic() < end:
        ws.settimeout(None if how == "for-ever" else max(end - time.monotonic(), 0.001))
        if not ws.recv(65536):
            break
except OSError:
    pass
ws.close()
if how == "stays":
    time.sleep(60)
if how == "aborts":
    os.abort()
