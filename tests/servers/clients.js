// Clients in Node for `hangup listen`: node clients.js ws|builtin URL [close|echo]
// The built-in WebSocket of Node 20 wants --experimental-websocket.
const [library, url, does] = process.argv.slice(2);
const ws = new (library === "ws" ? require("ws") : WebSocket)(url);
ws.binaryType = "arraybuffer";
ws.onopen = () => does === "close" && ws.close(1000);
ws.onmessage = ({ data }) => does === "echo" && ws.send(data);
ws.onerror = () => {};
ws.onclose = ({ code }) => console.log("closed with", code);
