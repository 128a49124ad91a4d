// Chat with socket.io: its own rooms, its own protocol, WebSocket only.
const { Server } = require("socket.io");

const io = new Server({ transports: ["websocket"], perMessageDeflate: false, serveClient: false });

io.on("connection", (socket) => {
  const room = socket.handshake.query.room;
  socket.join(room);
  socket.on("message", (text) => io.to(room).emit("message", text));
});

io.listen(Number(process.argv[2]));
