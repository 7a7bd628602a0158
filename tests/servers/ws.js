// Node's `ws` with its default settings.
const { WebSocketServer } = require('ws');

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.env.PORT || 0), backlog: 1024 }, () => {
  console.log(`listens on ws://127.0.0.1:${server.address().port}`);
});
server.on('connection', (socket, request) => {
  socket.on('error', () => {});
  if (request.url === '/bye') socket.close(1000);
  if (request.url === '/echo') {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  }
  if (request.url === '/push') {
    const timer = setInterval(() => socket.readyState === 1 && socket.send('news'), 100);
    socket.on('close', () => clearInterval(timer));
  }
});
