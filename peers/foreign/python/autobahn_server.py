"""Python's `autobahn` on asyncio, as in its examples."""

import asyncio
import os

from autobahn.asyncio.websocket import WebSocketServerFactory, WebSocketServerProtocol


class Protocol(WebSocketServerProtocol):
    pushing = None

    def onConnect(self, request):
        self.path = request.path

    def onOpen(self):
        if self.path == "/bye":
            self.sendClose()
        if self.path == "/push":
            self.push()

    def push(self):
        self.sendMessage(b"news")
        self.pushing = asyncio.get_running_loop().call_later(0.1, self.push)

    def onMessage(self, payload, isBinary):
        if self.path == "/echo":
            self.sendMessage(payload, isBinary)

    def onClose(self, wasClean, code, reason):
        if self.pushing:
            self.pushing.cancel()


async def main():
    port = int(os.environ["PORT"])
    factory = WebSocketServerFactory("ws://127.0.0.1:%d" % port)
    factory.protocol = Protocol
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


asyncio.run(main())
