// WebSocket++, as in its examples.
#include <websocketpp/config/asio_no_tls.hpp>
#include <websocketpp/server.hpp>

#include <cstdlib>

using Server = websocketpp::server<websocketpp::config::asio>;
using websocketpp::connection_hdl;

static void push(Server &server, connection_hdl hdl) {
    server.set_timer(100, [&server, hdl](websocketpp::lib::error_code const &) {
        websocketpp::lib::error_code error;
        server.send(hdl, "news", websocketpp::frame::opcode::text, error);
        if (!error)
            push(server, hdl);
    });
}

int main() {
    Server server;
    server.clear_access_channels(websocketpp::log::alevel::all);
    server.clear_error_channels(websocketpp::log::elevel::all);
    server.init_asio();
    server.set_reuse_addr(true);
    server.set_open_handler([&server](connection_hdl hdl) {
        auto path = server.get_con_from_hdl(hdl)->get_resource();
        websocketpp::lib::error_code error;
        if (path == "/bye")
            server.close(hdl, websocketpp::close::status::normal, "", error);
        if (path == "/push")
            push(server, hdl);
    });
    server.set_message_handler([&server](connection_hdl hdl, Server::message_ptr message) {
        websocketpp::lib::error_code error;
        if (server.get_con_from_hdl(hdl)->get_resource() == "/echo")
            server.send(hdl, message->get_payload(), message->get_opcode(), error);
    });
    server.listen("127.0.0.1", std::getenv("PORT"));
    server.start_accept();
    server.run();
}
