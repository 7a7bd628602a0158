"""Python's `websockets`, as in its documentation."""

import asyncio
import logging
import os

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def application(websocket):
    path = websocket.request.path
    if path == "/bye":
        await websocket.close()
    elif path == "/push":
        # As its documentation combines two handlers.
        reading = asyncio.create_task(read(websocket, False))
        pushing = asyncio.create_task(push(websocket))
        await asyncio.wait([reading, pushing], return_when=asyncio.FIRST_COMPLETED)
        reading.cancel()
        pushing.cancel()
    else:
        await read(websocket, path == "/echo")


async def read(websocket, echoes):
    try:
        async for message in websocket:
            if echoes:
                await websocket.send(message)
    except ConnectionClosed:
        pass


async def push(websocket):
    try:
        while True:
            await websocket.send("news")
            await asyncio.sleep(0.1)
    except ConnectionClosed:
        pass


async def main():
    logging.disable(logging.CRITICAL)
    async with serve(application, "127.0.0.1", int(os.environ["PORT"])) as server:
        await server.serve_forever()


asyncio.run(main())
