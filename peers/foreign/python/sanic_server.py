"""Python's `sanic`, as in its documentation."""

import asyncio
import os

from sanic import Sanic
from sanic.log import access_logger, error_logger, logger

app = Sanic("closing")


@app.websocket("/")
async def plain(request, ws):
    async for _ in ws:
        pass


@app.websocket("/echo")
async def echo(request, ws):
    async for message in ws:
        await ws.send(message)


@app.websocket("/bye")
async def bye(request, ws):
    await ws.close()


@app.websocket("/push")
async def push(request, ws):
    pushing = asyncio.create_task(news(ws))
    try:
        async for _ in ws:
            pass
    finally:
        pushing.cancel()


async def news(ws):
    while True:
        await ws.send("news")
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    for log in (logger, error_logger, access_logger):
        log.disabled = True
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]), single_process=True, motd=False)
