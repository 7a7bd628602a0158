// libsoup 3, as in its documentation.
#include <libsoup/soup.h>
#include <stdlib.h>

static void ignore(SoupWebsocketConnection *connection, int type, GBytes *message, gpointer data) {}

static void echo(SoupWebsocketConnection *connection, int type, GBytes *message, gpointer data) {
    soup_websocket_connection_send_message(connection, type, message);
}

static gboolean push(gpointer connection) {
    if (soup_websocket_connection_get_state(connection) != SOUP_WEBSOCKET_STATE_OPEN)
        return G_SOURCE_REMOVE;
    soup_websocket_connection_send_text(connection, "news");
    return G_SOURCE_CONTINUE;
}

// The handler has to keep a reference for as long as the connection is there.
static void closed(SoupWebsocketConnection *connection, gpointer timer) {
    if (timer)
        g_source_remove(GPOINTER_TO_UINT(timer));
    g_object_unref(connection);
}

static void opened(SoupServer *server, SoupServerMessage *request, const char *path,
                   SoupWebsocketConnection *connection, gpointer data) {
    g_object_ref(connection);
    gboolean echoes = g_str_equal(path, "/echo"), pushes = g_str_equal(path, "/push");
    g_signal_connect(connection, "message", G_CALLBACK(echoes ? echo : ignore), NULL);
    guint timer = pushes ? g_timeout_add(100, push, connection) : 0;
    g_signal_connect(connection, "closed", G_CALLBACK(closed), GUINT_TO_POINTER(timer));
    if (g_str_equal(path, "/bye"))
        soup_websocket_connection_close(connection, SOUP_WEBSOCKET_CLOSE_NORMAL, NULL);
}

int main(void) {
    SoupServer *server = soup_server_new(NULL, NULL);
    soup_server_add_websocket_handler(server, NULL, NULL, NULL, opened, NULL, NULL);
    GError *error = NULL;
    if (!soup_server_listen_local(server, atoi(getenv("PORT")), SOUP_SERVER_LISTEN_IPV4_ONLY, &error)) {
        g_printerr("%s\n", error->message);
        return 1;
    }
    g_main_loop_run(g_main_loop_new(NULL, FALSE));
}
