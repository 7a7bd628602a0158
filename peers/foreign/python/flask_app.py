"""Python's `simple-websocket`, through Flask-Sock, as in its documentation."""

from flask import Flask
from flask_sock import Sock

app = Flask(__name__)
sock = Sock(app)


@sock.route("/")
def plain(ws):
    while True:
        ws.receive()


@sock.route("/echo")
def echo(ws):
    while True:
        ws.send(ws.receive())


@sock.route("/bye")
def bye(ws):
    ws.close()


@sock.route("/push")
def push(ws):
    while True:
        ws.send("news")
        ws.receive(timeout=0.1)
