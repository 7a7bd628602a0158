// Node's `ws` behind `http.createServer`, and its SIGTERM handler as most write it: `server.close()`,
// which calls back once no connection is left. `node shutdown.js terminates` closes all clients too,
// and terminates those that are left after three seconds.
const { createServer } = require('http');
const { WebSocketServer } = require('ws');

const server = createServer();
const sockets = new WebSocketServer({ server });
sockets.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});

process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  if (process.argv[2] === 'terminates') {
    for (const socket of sockets.clients) socket.close(1001);
    setTimeout(() => {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
    }, 3000);
  }
});
server.listen(Number(process.env.PORT || 0), '127.0.0.1', 1024);
