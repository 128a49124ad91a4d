// Chat with node's `ws`: a set of sockets per room, the text encoded once, sent in a loop.
const { WebSocketServer } = require("ws");

const rooms = new Map();
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]), perMessageDeflate: false, backlog: 1024 });

server.on("connection", (socket, request) => {
  const name = request.url;
  if (!rooms.has(name)) rooms.set(name, new Set());
  const room = rooms.get(name);
  room.add(socket);
  socket.on("message", (data) => {
    const text = JSON.stringify({ message: JSON.parse(data).message });
    for (const member of room) member.send(text);
  });
  socket.on("close", () => room.delete(socket));
  socket.on("error", () => {});
});
