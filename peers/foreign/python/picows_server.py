"""Python's `picows`, as in its README."""

import asyncio
import os

from picows import WSCloseCode, WSListener, WSMsgType, ws_create_server


class Listener(WSListener):
    def __init__(self, path):
        self.path = path
        self.pushing = None

    def on_ws_connected(self, transport):
        if self.path == b"/bye":
            transport.send_close(WSCloseCode.OK)
        if self.path == b"/push":
            self.push(transport)

    def push(self, transport):
        transport.send(WSMsgType.TEXT, b"news")
        self.pushing = asyncio.get_running_loop().call_later(0.1, self.push, transport)

    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif self.path == b"/echo":
            transport.send(frame.msg_type, frame.get_payload_as_bytes(), frame.fin)

    def on_ws_disconnected(self, transport):
        if self.pushing:
            self.pushing.cancel()


async def main():
    server = await ws_create_server(
        lambda request: Listener(request.path), "127.0.0.1", int(os.environ["PORT"])
    )
    await server.serve_forever()


asyncio.run(main())
