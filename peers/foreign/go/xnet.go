// golang.org/x/net/websocket, as in its documentation.
package main

import (
	"io"
	"net/http"
	"os"
	"time"

	"golang.org/x/net/websocket"
)

// Its documentation's handlers; its Server, and not its Handler, also takes clients without an Origin.
func serve(handler websocket.Handler) http.Handler {
	return websocket.Server{Handler: handler}
}

func plain(ws *websocket.Conn) {
	io.Copy(io.Discard, ws)
}

func echo(ws *websocket.Conn) {
	io.Copy(ws, ws)
}

func bye(ws *websocket.Conn) {
	ws.Close()
}

func push(ws *websocket.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(io.Discard, ws)
	}()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			if err := websocket.Message.Send(ws, "news"); err != nil {
				return
			}
		}
	}
}

func main() {
	http.Handle("/", serve(plain))
	http.Handle("/echo", serve(echo))
	http.Handle("/bye", serve(bye))
	http.Handle("/push", serve(push))
	panic(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
