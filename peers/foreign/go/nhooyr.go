// nhooyr.io/websocket, since then coder/websocket, as in its examples.
package main

import (
	"context"
	"net/http"
	"os"
	"time"

	"nhooyr.io/websocket"
)

func serve(application func(context.Context, *websocket.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close(websocket.StatusInternalError, "the sky is falling")
		application(r.Context(), c)
	}
}

func plain(ctx context.Context, c *websocket.Conn) {
	for {
		if _, _, err := c.Read(ctx); err != nil {
			return
		}
	}
}

func echo(ctx context.Context, c *websocket.Conn) {
	for {
		kind, message, err := c.Read(ctx)
		if err != nil {
			return
		}
		if err := c.Write(ctx, kind, message); err != nil {
			return
		}
	}
}

func bye(_ context.Context, c *websocket.Conn) {
	c.Close(websocket.StatusNormalClosure, "")
}

func push(ctx context.Context, c *websocket.Conn) {
	ctx = c.CloseRead(ctx)
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := c.Write(ctx, websocket.MessageText, []byte("news")); err != nil {
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
