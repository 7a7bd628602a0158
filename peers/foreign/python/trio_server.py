"""Python's `trio-websocket`, which speaks by `wsproto`, as in its README."""

import logging
import os

import trio
from trio_websocket import ConnectionClosed, serve_websocket


async def application(request):
    ws = await request.accept()
    try:
        if request.path == "/bye":
            await ws.aclose()
            return
        if request.path == "/push":
            while True:
                await ws.send_message("news")
                await trio.sleep(0.1)
        while True:
            message = await ws.get_message()
            if request.path == "/echo":
                await ws.send_message(message)
    except ConnectionClosed:
        pass


logging.disable(logging.CRITICAL)
trio.run(serve_websocket, application, "127.0.0.1", int(os.environ["PORT"]), None)
