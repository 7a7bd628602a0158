// Boost.Beast, as in its example with coroutines (websocket_server_coro.cpp).
#include <boost/asio/spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using Stream = websocket::stream<beast::tcp_stream>;

// Reads messages, and sends them back where that is asked for, until the connection is closed.
static void read(Stream &ws, bool echoes, asio::yield_context yield) {
    beast::error_code error;
    for (;;) {
        beast::flat_buffer buffer;
        ws.async_read(buffer, yield[error]);
        if (error)
            return;
        if (!echoes)
            continue;
        ws.text(ws.got_text());
        ws.async_write(buffer.data(), yield[error]);
        if (error)
            return;
    }
}

static void push(std::shared_ptr<Stream> ws, asio::yield_context yield) {
    beast::error_code error;
    asio::steady_timer timer(ws->get_executor());
    while (!error) {
        timer.expires_after(std::chrono::milliseconds(100));
        timer.async_wait(yield[error]);
        if (!ws->is_open())
            return;
        ws->async_write(asio::buffer(std::string("news")), yield[error]);
    }
}

static void session(std::shared_ptr<Stream> ws, asio::yield_context yield) {
    beast::error_code error;
    ws->set_option(websocket::stream_base::timeout::suggested(beast::role_type::server));
    beast::flat_buffer buffer;
    http::request<http::string_body> request;
    http::async_read(ws->next_layer(), buffer, request, yield[error]);
    if (error)
        return;
    ws->async_accept(request, yield[error]);
    if (error)
        return;
    if (request.target() == "/bye") {
        ws->async_close(websocket::close_code::normal, yield[error]);
        return;
    }
    if (request.target() == "/push")
        asio::spawn(ws->get_executor(), [ws](asio::yield_context yield) { push(ws, yield); });
    read(*ws, request.target() == "/echo", yield);
}

int main() {
    asio::io_context context(1);
    auto port = static_cast<unsigned short>(std::atoi(std::getenv("PORT")));
    tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), port});
    asio::spawn(context, [&](asio::yield_context yield) {
        for (;;) {
            beast::error_code error;
            tcp::socket socket(context);
            acceptor.async_accept(socket, yield[error]);
            if (error)
                continue;
            auto ws = std::make_shared<Stream>(std::move(socket));
            asio::spawn(ws->get_executor(), [ws](asio::yield_context yield) { session(ws, yield); });
        }
    });
    context.run();
}
