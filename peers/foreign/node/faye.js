// Node's `faye-websocket`, as in its README.
const WebSocket = require('faye-websocket');
const http = require('http');

const server = http.createServer();
server.on('upgrade', (request, socket, body) => {
  if (!WebSocket.isWebSocket(request)) return socket.destroy();
  const client = new WebSocket(request, socket, body);
  let timer;
  client.on('open', () => {
    if (request.url === '/bye') client.close();
    if (request.url === '/push') timer = setInterval(() => client.send('news'), 100);
  });
  client.on('message', (event) => {
    if (request.url === '/echo') client.send(event.data);
  });
  client.on('close', () => clearInterval(timer));
});
server.listen(process.env.PORT, '127.0.0.1', 1024);
