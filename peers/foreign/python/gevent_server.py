"""Python's `gevent-websocket`, as in its README."""

import os
from collections import OrderedDict

import gevent
from geventwebsocket import Resource, WebSocketApplication, WebSocketError, WebSocketServer


class Plain(WebSocketApplication):
    def on_message(self, message):
        pass


class Echo(WebSocketApplication):
    def on_message(self, message):
        if message is not None:
            self.ws.send(message)


class Bye(Plain):
    def on_open(self):
        self.ws.close()


class Push(Plain):
    def on_open(self):
        self.pushing = gevent.spawn(self.push)

    def push(self):
        try:
            while not self.ws.closed:
                self.ws.send("news")
                gevent.sleep(0.1)
        except (WebSocketError, OSError):
            pass

    def on_close(self, reason):
        self.pushing.kill(block=False)


WebSocketServer(
    ("127.0.0.1", int(os.environ["PORT"])),
    Resource(OrderedDict([("/echo", Echo), ("/bye", Bye), ("/push", Push), ("/", Plain)])),
    backlog=1024,
    log=None,
    error_log=None,
).serve_forever()
