// gorilla/websocket, as in its examples.
package main

import (
	"net/http"
	"os"
	"time"

	"github.com/gorilla/websocket"
)

var upgrader = websocket.Upgrader{}

func serve(application func(*websocket.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		application(c)
	}
}

func plain(c *websocket.Conn) {
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			return
		}
	}
}

func echo(c *websocket.Conn) {
	for {
		kind, message, err := c.ReadMessage()
		if err != nil {
			return
		}
		if err := c.WriteMessage(kind, message); err != nil {
			return
		}
	}
}

// As in the echo example's client: a Close, then reading until the peer's comes.
func bye(c *websocket.Conn) {
	message := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	if err := c.WriteMessage(websocket.CloseMessage, message); err != nil {
		return
	}
	plain(c)
}

func push(c *websocket.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		plain(c)
	}()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			if err := c.WriteMessage(websocket.TextMessage, []byte("news")); err != nil {
				return
			}
		}
	}
}

func main() {
	http.HandleFunc("/", serve(plain))
	http.HandleFunc("/echo", serve(echo))
	http.HandleFunc("/bye", serve(bye))
	http.HandleFunc("/push", serve(push))
	panic(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
