// Bun's own server, as in its documentation.
Bun.serve({
  hostname: '127.0.0.1',
  port: process.env.PORT,
  fetch(request, server) {
    const path = new URL(request.url).pathname;
    if (server.upgrade(request, { data: { path } })) return;
    return new Response('Upgrade failed', { status: 500 });
  },
  websocket: {
    open(ws) {
      if (ws.data.path === '/bye') ws.close();
      if (ws.data.path === '/push') ws.data.timer = setInterval(() => ws.send('news'), 100);
    },
    message(ws, message) {
      if (ws.data.path === '/echo') ws.send(message);
    },
    close(ws) {
      clearInterval(ws.data.timer);
    },
  },
});
