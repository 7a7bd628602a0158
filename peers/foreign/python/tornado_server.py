"""Python's `tornado`, as in its documentation."""

import asyncio
import logging
import os

import tornado.ioloop
import tornado.web
import tornado.websocket


class Socket(tornado.websocket.WebSocketHandler):
    pushing = None

    def open(self):
        if self.request.path == "/bye":
            self.close()
        if self.request.path == "/push":
            self.pushing = tornado.ioloop.PeriodicCallback(self.push, 100)
            self.pushing.start()

    async def push(self):
        try:
            await self.write_message("news")
        except tornado.websocket.WebSocketClosedError:
            self.pushing.stop()

    def on_message(self, message):
        if self.request.path == "/echo":
            self.write_message(message, binary=isinstance(message, bytes))

    def on_close(self):
        if self.pushing:
            self.pushing.stop()


async def main():
    logging.disable(logging.CRITICAL)
    application = tornado.web.Application([(r"/.*", Socket)])
    application.listen(int(os.environ["PORT"]), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
