// Node's `websocket` (WebSocket-Node), as in its README.
const http = require('http');
const { server: WebSocketServer } = require('websocket');

const server = http.createServer((request, response) => {
  response.writeHead(404);
  response.end();
});
server.listen(process.env.PORT, '127.0.0.1', 1024);
const webSocketServer = new WebSocketServer({ httpServer: server, autoAcceptConnections: false });

webSocketServer.on('request', (request) => {
  const connection = request.accept(null, request.origin);
  if (request.resource === '/bye') connection.close();
  if (request.resource === '/echo') {
    connection.on('message', (message) => {
      if (message.type === 'utf8') connection.sendUTF(message.utf8Data);
      else if (message.type === 'binary') connection.sendBytes(message.binaryData);
    });
  }
  if (request.resource === '/push') {
    const timer = setInterval(() => connection.connected && connection.sendUTF('news'), 100);
    connection.on('close', () => clearInterval(timer));
  }
});
