// libwebsockets, as in its minimal examples.
#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

struct message {
    struct message *next;
    int is_binary;
    size_t length;
    unsigned char bytes[];
};

// What is known of a connection.
struct session {
    char path[16];
    struct message *first, **last;
    // The message that is being received.
    unsigned char *part;
    size_t part_length;
};

static void enqueue(struct lws *wsi, struct session *session, const void *bytes, size_t length, int is_binary) {
    struct message *message = malloc(sizeof *message + LWS_PRE + length);
    message->next = NULL;
    message->is_binary = is_binary;
    message->length = length;
    if (length)
        memcpy(message->bytes + LWS_PRE, bytes, length);
    *session->last = message;
    session->last = &message->next;
    lws_callback_on_writable(wsi);
}

static int application(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length) {
    struct session *session = user;
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        session->last = &session->first;
        lws_hdr_copy(wsi, session->path, sizeof session->path, WSI_TOKEN_GET_URI);
        if (!strcmp(session->path, "/bye")) {
            lws_close_reason(wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
            return -1;
        }
        if (!strcmp(session->path, "/push"))
            lws_set_timer_usecs(wsi, 100 * LWS_US_PER_MS);
        break;
    case LWS_CALLBACK_TIMER:
        enqueue(wsi, session, "news", 4, 0);
        lws_set_timer_usecs(wsi, 100 * LWS_US_PER_MS);
        break;
    case LWS_CALLBACK_RECEIVE:
        if (strcmp(session->path, "/echo"))
            break;
        session->part = realloc(session->part, session->part_length + length + 1);
        if (length)
            memcpy(session->part + session->part_length, in, length);
        session->part_length += length;
        if (lws_is_final_fragment(wsi)) {
            enqueue(wsi, session, session->part, session->part_length, lws_frame_is_binary(wsi));
            session->part_length = 0;
        }
        break;
    case LWS_CALLBACK_SERVER_WRITEABLE: {
        struct message *message = session->first;
        if (!message)
            break;
        enum lws_write_protocol kind = message->is_binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
        int sent = lws_write(wsi, message->bytes + LWS_PRE, message->length, kind);
        session->first = message->next;
        if (!session->first)
            session->last = &session->first;
        free(message);
        if (sent < 0)
            return -1;
        if (session->first)
            lws_callback_on_writable(wsi);
        break;
    }
    case LWS_CALLBACK_CLOSED:
        while (session->first) {
            struct message *message = session->first;
            session->first = message->next;
            free(message);
        }
        free(session->part);
        break;
    default:
        break;
    }
    return 0;
}

static const struct lws_protocols protocols[] = {
    {"closing", application, sizeof(struct session), 65536, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

int main(void) {
    lws_set_log_level(0, NULL);
    struct lws_context_creation_info info = {0};
    info.port = atoi(getenv("PORT"));
    info.iface = "127.0.0.1";
    info.protocols = protocols;
    struct lws_context *context = lws_create_context(&info);
    if (!context)
        return 1;
    while (lws_service(context, 0) >= 0)
        ;
    lws_context_destroy(context);
}
