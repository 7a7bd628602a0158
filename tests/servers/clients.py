"""Clients in Python for `hangup listen`: python clients.py LIBRARY URL [close|echo]"""

import asyncio
import sys

library, url, does = (sys.argv[1:] + [None])[:3]


async def of_websockets():
    import websockets

    async with websockets.connect(url) as ws:
        if does == "close":
            return
        async for message in ws:
            if does == "echo":
                await ws.send(message)


async def of_aiohttp():
    import aiohttp

    async with aiohttp.ClientSession() as session, session.ws_connect(url) as ws:
        if does == "close":
            return
        async for message in ws:
            if does == "echo" and message.type == aiohttp.WSMsgType.TEXT:
                await ws.send_str(message.data)
            elif does == "echo" and message.type == aiohttp.WSMsgType.BINARY:
                await ws.send_bytes(message.data)


def of_websocket_client():
    import websocket

    ws = websocket.create_connection(url)
    if does != "close":
        while ws.connected:
            opcode, data = ws.recv_data()
            if does == "echo" and opcode in (1, 2):
                ws.send(data, opcode)
    ws.close()


if library == "websocket-client":
    of_websocket_client()
else:
    asyncio.run({"websockets": of_websockets, "aiohttp": of_aiohttp}[library]())
