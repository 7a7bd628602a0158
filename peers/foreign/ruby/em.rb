# Ruby's `em-websocket`, as in its README.
require 'em-websocket'

EM.run do
  EM::WebSocket.run(host: '127.0.0.1', port: ENV['PORT'].to_i) do |ws|
    path = timer = nil
    ws.onopen do |handshake|
      path = handshake.path
      ws.close if path == '/bye'
      timer = EM.add_periodic_timer(0.1) { ws.send('news') if ws.state == :connected } if path == '/push'
    end
    ws.onmessage { |message| ws.send(message) if path == '/echo' }
    ws.onbinary { |message| ws.send_binary(message) if path == '/echo' }
    ws.onclose { timer&.cancel }
    # Unheard, what the library raises would end the process.
    ws.onerror { |_error| }
  end
end
