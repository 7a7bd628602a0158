"""Python's `websockets` with its default settings."""

import asyncio
import logging

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def application(socket):
    try:
        if socket.request.path == "/bye":
            await socket.close(1000)
        elif socket.request.path == "/push":
            while True:
                await socket.send("news")
                await asyncio.sleep(0.1)
        else:
            async for message in socket:
                if socket.request.path == "/echo":
                    await socket.send(message)
    except ConnectionClosed:
        pass


async def main():
    logging.disable(logging.CRITICAL)
    async with serve(application, "127.0.0.1", 0, backlog=1024) as server:
        print("listens on ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
