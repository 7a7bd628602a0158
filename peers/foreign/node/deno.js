// Deno's own server, as in its documentation.
Deno.serve({ hostname: '127.0.0.1', port: Number(Deno.env.get('PORT')) }, (request) => {
  if (request.headers.get('upgrade') !== 'websocket') return new Response(null, { status: 426 });
  const path = new URL(request.url).pathname;
  const { socket, response } = Deno.upgradeWebSocket(request);
  let timer;
  socket.addEventListener('open', () => {
    if (path === '/bye') socket.close();
    if (path === '/push') {
      timer = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send('news'), 100);
    }
  });
  socket.addEventListener('message', (event) => {
    if (path === '/echo') socket.send(event.data);
  });
  socket.addEventListener('close', () => clearInterval(timer));
  // Unheard, an error of a connection would end the process.
  socket.addEventListener('error', () => {});
  return response;
});
