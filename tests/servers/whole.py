"""A whole WebSocket server in plain Python that shuts down well, or gets one thing wrong.

    python3 whole.py FAULT [SECONDS]

On SIGTERM `well` stops listening, sends everybody a Close with 1001, and exits once all have
answered, after SECONDS (1) at the latest. FAULT is well or one of these.

`waits` does the same and has no deadline: it exits when the last client has left. `holds-idle` sends no
Close either. `forgets` exits at once and closes nobody. `in-turn` closes one after the other, each
with SECONDS of its own. `accepts` goes on accepting, and serves, until it exits. `late` closes
well, and sleeps for SECONDS more. `deaf` ignores the signal, also without a client. `crashes` closes well
and ends with SIGSEGV. `closes-1006` says so in its Close, `sends-behind` sends a message behind it.
`forgets-openings` sends nothing to those who are opening, and waits for them for ever. `opens-in-turn` accepts
nobody while somebody is opening. `detached` serves in a process of another session, which ignores the signal.

`leaks` keeps a descriptor of each connection, `leaks-threads` a thread, `cache` a descriptor of each
of the first sixty. `hub` sends each message to everybody, under one lock that it holds until all have
taken it; `hub-apart` puts it into a queue of each, and drops whoever's queue is full.

It listens on $PORT, or on a free port. What is sent to it comes back, but from a hub.
"""

import asyncio
import base64
import hashlib
import os
import signal
import struct
import sys
import threading

FAULT = sys.argv[1]
LIMIT = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CACHE = 60
QUEUE = 1024

clients, opening, kept = set(), set(), []
opens = None
hub_lock = None


def frame(opcode, payload):
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 127, size)
    return head + payload


class Client:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.closed = False
        self.gone = asyncio.Event()
        self.queue = asyncio.Queue(QUEUE)

    def close(self, code):
        if not self.closed:
            self.closed = True
            self.writer.write(frame(CLOSE, struct.pack("!H", 1006 if FAULT == "closes-1006" else code)))
            if FAULT == "sends-behind":
                self.writer.write(frame(TEXT, b"bye"))

    async def leave(self):
        """Gives it time to answer, and drops it then."""
        try:
            await asyncio.wait_for(self.gone.wait(), LIMIT)
        except asyncio.TimeoutError:
            self.writer.transport.abort()

    async def read_frame(self):
        first, second = await self.reader.readexactly(2)
        size = second & 127
        if size == 126:
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
        mask = await self.reader.readexactly(4)
        body = await self.reader.readexactly(size)
        masks = (mask * (size // 4 + 1))[:size]
        plain = int.from_bytes(body, "big") ^ int.from_bytes(masks, "big")
        return first & 15, plain.to_bytes(size, "big")

    async def serve(self):
        while True:
            opcode, body = await self.read_frame()
            if opcode == CLOSE:
                if not self.closed:
                    self.closed = True
                    self.writer.write(frame(CLOSE, body[:2]))
                return
            if self.closed:
                continue
            if opcode == PING:
                await self.send(frame(PONG, body))
            elif opcode in (TEXT, BINARY):
                await self.message(opcode, body)

    async def send(self, data):
        if FAULT == "hub":
            async with hub_lock:
                self.writer.write(data)
                await self.writer.drain()
        elif FAULT == "hub-apart":
            self.put(data)
        else:
            self.writer.write(data)
            await self.writer.drain()

    def put(self, data):
        try:
            self.queue.put_nowait(data)
        except asyncio.QueueFull:
            self.writer.transport.abort()

    async def write_queue(self):
        while True:
            self.writer.write(await self.queue.get())
            await self.writer.drain()

    async def message(self, opcode, body):
        data = frame(opcode, body)
        if FAULT == "hub":
            async with hub_lock:
                for client in list(clients):
                    if not client.closed:
                        client.writer.write(data)
                        await client.writer.drain()
        elif FAULT == "hub-apart":
            for client in list(clients):
                client.put(data)
        else:
            await self.send(data)


async def accepted(reader, writer):
    writer.transport.set_write_buffer_limits(high=4096)
    client = Client(reader, writer)
    queue = None
    opening.add(client)
    try:
        if FAULT == "opens-in-turn":
            async with opens:
                head = await reader.readuntil(b"\r\n\r\n")
        else:
            head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = {line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip() for line in lines if ":" in line}
        key = fields["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        writer.write(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        keep()
        clients.add(client)
        # Who was opening when the signal came is told as well.
        if told.is_set() and FAULT not in ("forgets-openings", "holds-idle", "accepts", "deaf", "detached"):
            client.close(1001)
        if FAULT == "hub-apart":
            queue = asyncio.ensure_future(client.write_queue())
        await client.serve()
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, KeyError):
        pass
    finally:
        opening.discard(client)
        clients.discard(client)
        client.gone.set()
        if queue:
            queue.cancel()
        writer.close()


def keep():
    """What a connection leaves behind."""
    if FAULT == "leaks" or FAULT == "cache" and len(kept) < CACHE:
        kept.append(os.open(os.devnull, os.O_RDONLY))
    if FAULT == "leaks-threads":
        waits = threading.Event()
        kept.append(waits)
        threading.Thread(target=waits.wait, daemon=True).start()


async def shut_down(server):
    if FAULT == "forgets":
        os._exit(0)
    if FAULT != "accepts":
        server.close()
    if FAULT == "holds-idle":
        return await asyncio.gather(*(client.gone.wait() for client in list(clients)))
    if FAULT == "in-turn":
        for client in list(clients):
            client.close(1001)
            await client.leave()
        return
    for client in list(clients):
        client.close(1001)
    if FAULT == "waits":
        return await asyncio.gather(*(client.gone.wait() for client in list(clients)))
    await asyncio.gather(*(client.leave() for client in list(clients)))
    if FAULT in ("late", "accepts"):
        await asyncio.sleep(LIMIT)
    if FAULT == "forgets-openings":
        await asyncio.gather(*(client.gone.wait() for client in list(opening)))
    if FAULT == "crashes":
        os.kill(os.getpid(), signal.SIGSEGV)


async def main():
    global hub_lock, opens, told
    hub_lock, opens, told = asyncio.Lock(), asyncio.Lock(), asyncio.Event()
    server = await asyncio.start_server(accepted, "127.0.0.1", int(os.environ.get("PORT", 0)), backlog=1024)
    print("listens on ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    await told.wait()
    if FAULT in ("deaf", "detached"):
        await asyncio.Event().wait()
    await shut_down(server)
    os._exit(0)


if FAULT == "detached":
    if os.fork():
        # The one whose signals hangup sends ends as it is told to; the other goes on, for a while.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        signal.pause()
    os.setsid()
    signal.alarm(60)
asyncio.run(main())
