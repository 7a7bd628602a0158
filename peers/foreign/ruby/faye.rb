# Ruby's `faye-websocket` on Puma, as in its README.
require 'faye/websocket'
require 'eventmachine'
require 'puma'
require 'rack'

APP = lambda do |env|
  return [404, {}, []] unless Faye::WebSocket.websocket?(env)

  ws = Faye::WebSocket.new(env)
  path = env['PATH_INFO']
  timer = nil
  ws.on :open do |_event|
    ws.close if path == '/bye'
    timer = EM.add_periodic_timer(0.1) { ws.send('news') } if path == '/push'
  end
  ws.on :message do |event|
    ws.send(event.data) if path == '/echo'
  end
  ws.on :close do |_event|
    timer&.cancel
  end
  ws.rack_response
end

Faye::WebSocket.load_adapter('puma')
server = Puma::Server.new(APP)
server.add_tcp_listener('127.0.0.1', ENV['PORT'].to_i)
server.run.join
