"""Python's `aiohttp` with its default settings."""

import asyncio
import logging
import os

from aiohttp import WSMsgType, web


async def application(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    try:
        if request.path == "/bye":
            await socket.close()
        pushing = asyncio.create_task(push(socket)) if request.path == "/push" else None
        async for message in socket:
            if request.path == "/echo" and message.type == WSMsgType.TEXT:
                await socket.send_str(message.data)
            if request.path == "/echo" and message.type == WSMsgType.BINARY:
                await socket.send_bytes(message.data)
    except ConnectionError:
        pass
    finally:
        if request.path == "/push":
            pushing.cancel()
    return socket


async def push(socket):
    try:
        while not socket.closed:
            await socket.send_str("news")
            await asyncio.sleep(0.1)
    except ConnectionError:
        pass


async def main():
    logging.disable(logging.CRITICAL)
    app = web.Application()
    app.router.add_get("/{path:.*}", application)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", int(os.environ.get("PORT", 0)), backlog=1024)
    await site.start()
    print("listens on ws://127.0.0.1:%d" % runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
