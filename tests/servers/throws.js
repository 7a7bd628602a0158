// A WebSocket server on nothing but Node. A Close of one byte, and text that is not UTF-8, make it
// throw where nobody catches: that ends its process. It listens on $PORT.
const http = require('http');
const crypto = require('crypto');

const server = http.createServer();
server.on('upgrade', (request, socket) => {
  const key = request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
  const accept = crypto.createHash('sha1').update(key).digest('base64');
  socket.on('error', () => {});
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
  let have = Buffer.alloc(0);
  socket.on('data', (data) => {
    have = Buffer.concat([have, data]);
    while (have.length >= 6) {
      let [length, at] = [have[1] & 0x7f, 2];
      if (length > 125 || !(have[1] & 0x80)) return socket.destroy();
      if (have.length < at + 4 + length) return;
      const mask = have.subarray(at, at + 4);
      const payload = Buffer.from(have.subarray(at + 4, at + 4 + length).map((byte, i) => byte ^ mask[i % 4]));
      const opcode = have[0] & 0x0f;
      have = have.subarray(at + 4 + length);
      if (opcode === 1) new TextDecoder('utf-8', { fatal: true }).decode(payload);
      if (opcode === 8) {
        const code = payload.length ? payload.readUInt16BE(0) : 1000;
        const answer = Buffer.from([0x88, 2, 0, 0]);
        answer.writeUInt16BE(code, 2);
        return socket.end(answer);
      }
    }
  });
});
server.listen(Number(process.env.PORT || 0), '127.0.0.1', () => {
  console.log(`listens on ws://127.0.0.1:${server.address().port}`);
});
