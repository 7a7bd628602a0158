"""An application on Python's `starlette`, as in its documentation. Which library speaks WebSocket is
the choice of the ASGI server that runs it: uvicorn, hypercorn, daphne, granian."""

import asyncio

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect


async def plain(websocket):
    await websocket.accept()
    try:
        while True:
            await read(websocket)
    except WebSocketDisconnect:
        pass


async def echo(websocket):
    await websocket.accept()
    try:
        while True:
            message = await read(websocket)
            if message.get("text") is not None:
                await websocket.send_text(message["text"])
            else:
                await websocket.send_bytes(message["bytes"])
    except WebSocketDisconnect:
        pass


async def bye(websocket):
    await websocket.accept()
    await websocket.close()


async def push(websocket):
    await websocket.accept()
    pushing = asyncio.create_task(news(websocket))
    try:
        while True:
            await read(websocket)
    except WebSocketDisconnect:
        pass
    finally:
        pushing.cancel()


async def news(websocket):
    try:
        while True:
            await websocket.send_text("news")
            await asyncio.sleep(0.1)
    except (WebSocketDisconnect, RuntimeError):
        pass


async def read(websocket):
    """The next message, of either kind."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    return message


app = Starlette(
    routes=[
        WebSocketRoute("/", plain),
        WebSocketRoute("/echo", echo),
        WebSocketRoute("/bye", bye),
        WebSocketRoute("/push", push),
    ]
)
