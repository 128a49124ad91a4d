/* The index while it is open. Everything on it works without this too. */

import { installLater } from "chat/later";
import { Lobby } from "chat/lobby";
import { watchName } from "chat/naming";
import { visited } from "chat/rooms";
import { page } from "chat/words";

const at = (id) => document.getElementById(id);

watchName(at("room-name-input"), at("refusal"));
const parts = { live: at("live"), empty: at("empty"), away: at("away"), visited: at("visited") };
const lobby = new Lobby({ ...parts, rooms: visited().sort((a, b) => b.at - a.at) });
lobby.drawVisited([]);
if (page.listed) lobby.start();
installLater();
