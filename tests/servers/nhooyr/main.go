// Go's net/http with nhooyr.io/websocket (since then coder/websocket), and the shutdown of its
// documentation: Shutdown, with a deadline. Hijacked connections are the application's own.
// `nhooyr closes` closes them first, all at once.
package main

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"nhooyr.io/websocket"
)

var (
	lock sync.Mutex
	open = map[*websocket.Conn]bool{}
	left sync.WaitGroup
)

func serve(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	lock.Lock()
	open[conn] = true
	left.Add(1)
	lock.Unlock()
	defer func() {
		lock.Lock()
		delete(open, conn)
		lock.Unlock()
		conn.Close(websocket.StatusInternalError, "")
		left.Done()
	}()
	for {
		kind, data, err := conn.Read(r.Context())
		if err != nil || conn.Write(r.Context(), kind, data) != nil {
			return
		}
	}
}

func main() {
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: http.HandlerFunc(serve)}
	done := make(chan struct{})
	go func() {
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGTERM)
		<-told
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		server.Shutdown(ctx)
		if len(os.Args) > 1 && os.Args[1] == "closes" {
			lock.Lock()
			for conn := range open {
				go conn.Close(websocket.StatusGoingAway, "")
			}
			lock.Unlock()
			left.Wait()
		}
		close(done)
	}()
	server.ListenAndServe()
	<-done
}
