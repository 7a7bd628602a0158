// graphql-ws on ws, as its documentation shows it: a session begins with the client's
// `connection_init`, and is closed with 4408 where that does not come within three seconds.
const { WebSocketServer } = require('ws');
const { useServer } = require('graphql-ws/use/ws');
const { buildSchema } = require('graphql');

const schema = buildSchema('type Query { hello: String }');
const port = Number(process.argv[2] || process.env.PORT || 0);
const server = new WebSocketServer({ host: '127.0.0.1', port, backlog: 1024 }, () => {
  console.log(`listens on ws://127.0.0.1:${server.address().port}`);
});
useServer({ schema, rootValue: { hello: 'world' } }, server);
