"""uWebSockets (C++), through Python's `socketify`, as in its documentation."""

import asyncio
import os

from socketify import App, OpCode

app = App()


def echo(ws, message, opcode):
    ws.send(message, opcode)


def ignore(ws, message, opcode):
    pass


async def push():
    while True:
        app.publish("news", "news", OpCode.TEXT)
        await asyncio.sleep(0.1)


app.ws("/", {"message": ignore})
app.ws("/echo", {"message": echo})
app.ws("/bye", {"message": ignore, "open": lambda ws: ws.end(1000, "bye")})
app.ws(
    "/push",
    {
        "message": ignore,
        "open": lambda ws: ws.subscribe("news"),
    },
)
app.on_start(lambda: app.loop.loop.create_task(push()))
app.listen({"port": int(os.environ["PORT"]), "host": "127.0.0.1"}, lambda config: None)
app.run()
