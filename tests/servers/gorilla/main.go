// Go's net/http with gorilla/websocket, and the shutdown of its documentation: Shutdown, with a
// deadline. Hijacked connections are the application's own. `gorilla closes` tells them first.
package main

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

var (
	upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	lock     sync.Mutex
	open     = map[*websocket.Conn]bool{}
	left     sync.WaitGroup
)

func serve(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
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
		conn.Close()
		left.Done()
	}()
	for {
		kind, data, err := conn.ReadMessage()
		if err != nil || conn.WriteMessage(kind, data) != nil {
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
				goodbye := websocket.FormatCloseMessage(websocket.CloseGoingAway, "")
				conn.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(time.Second))
				conn.SetReadDeadline(time.Now().Add(2 * time.Second))
			}
			lock.Unlock()
			left.Wait()
		}
		if len(os.Args) > 1 && os.Args[1] == "waits" {
			left.Wait()
		}
		close(done)
	}()
	server.ListenAndServe()
	<-done
}
