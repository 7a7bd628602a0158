// Node's `nodejs-websocket`, as in its README.
const ws = require('nodejs-websocket');

const server = ws.createServer((connection) => {
  // Its README says to listen to errors: an unheard one ends the process.
  connection.on('error', () => {});
  if (connection.path === '/bye') connection.close();
  if (connection.path === '/echo') {
    connection.on('text', (text) => connection.sendText(text));
    connection.on('binary', (input) => {
      const parts = [];
      input.on('data', (part) => parts.push(part));
      input.on('end', () => connection.sendBinary(Buffer.concat(parts)));
    });
  } else {
    connection.on('binary', (input) => input.resume());
  }
  if (connection.path === '/push') {
    const timer = setInterval(() => connection.readyState === connection.OPEN && connection.sendText('news'), 100);
    connection.on('close', () => clearInterval(timer));
  }
});
server.listen(process.env.PORT, '127.0.0.1');
