/* The room: one object that holds what is known, and its parts, each of which knows nothing of the others. `opening`
   stands first, since the first import is the first to be evaluated. */

import { open } from "chat/opening";
import { Aloud } from "chat/aloud";
import { beside } from "chat/beside";
import { Composer } from "chat/composer";
import { Connection } from "chat/connection";
import { deeds } from "chat/deeds";
import { Draft } from "chat/drafts";
import { hear } from "chat/frames";
import { always, here } from "chat/keep";
import { Name } from "chat/name";
import { Notice } from "chat/notice";
import { Outbox } from "chat/outbox";
import { People } from "chat/people";
import { reading } from "chat/reading";
import { visit } from "chat/rooms";
import { State } from "chat/state";
import { wire } from "chat/wiring";
import { page, say } from "chat/words";

const TRIES_BY_NAME = 3;  // then without the name: a refused upgrade doesn't say why

const at = (id) => document.getElementById(id);
const list = at("chat-log");
const kept = `outbox.${page.room.key}`;
const line = new Notice({ line: at("notice"), announce: at("announce") });
const notice = (text, warn) => line.pass(text, warn);
const advice = (text, warn) => line.stay(text, warn);

const room = {
  me: { id: "", name: always.read("name", "") },
  ids: new Set(),  // every id we have had: a server that forgot our session gives another one
  known: false,  // has the log been read to its end once?
  asked: "",  // what this connection asked for: history or after
  attempts: 0,
  named, unnamed, introduced, notice,
  aloud: new Aloud(at("heard")),
};

const isMine = (id) => room.ids.has(id);
const pending = () => room.outbox.views(room.me);
Object.assign(room, reading(room, { list, button: at("newest"), isMine, pending, notice }));

room.mine = new Name({ rename });
const column = { list: at("people-list"), label: at("people-label"), typists: at("typing") };
room.people = new People({ ...column, mine: room.mine, me: () => room.me });
const facts = () => ({ people: room.people.count, waiting: room.outbox.waiting });
room.state = new State({ button: at("people-toggle"), text: at("state"), announce: at("announce"), facts });

room.connection = new Connection({ open: dial, heard: (frame) => hear(room, frame), changed });
const saving = { saved: here.read(kept, []), save: (entries) => here.write(kept, entries) };
room.outbox = new Outbox({ ...saving, send: transmit, changed: outboxChanged });
const typing = () => room.connection.tell({ type: "typing" });
const where = { form: at("composer"), input: at("chat-message-input"), people: () => room.people.others };
Object.assign(room, deeds(room, { ...where, list, isMine, notice, advice }));
room.composer = new Composer({ ...where, send, advice, typing, draft: new Draft(page.room.key) });
beside(room, { at, list, isMine });

// -- the connection

function dial() {
  room.asked = room.log.cursor === null ? "history" : "after";
  return open(room.log.cursor, room.attempts++ < TRIES_BY_NAME ? always.read("name", "") : "");
}

function changed(state, { code }) {
  if (state === "open") return;
  if (state === "ended") room.outbox.fail("");  // before `shut`, for which all that was sent waits again
  room.outbox.shut();
  room.pages.lost();
  if (state === "ended") room.state.ended(code); else room.state.broken();
}

function transmit({ ref, text, reply, change }) {
  return room.connection.ask(change ? { ...change, ref } : { type: "send", message: text, ref, reply });
}

// -- writing

function send(text) {
  const taken = room.outbox.add(text, room.answering.taken());
  if (taken) room.reader.toNewest(); else notice(say("composer.full"), true);
  return taken;
}

function outboxChanged() {
  room.state.draw();
  room.reader.draw();
}

// -- names

function rename(name) {
  always.write("name", name);
  room.mine.show(room.me = { id: room.me.id, name });
  room.connection.tell({ type: "rename", name });  // offline it goes with the next connection
}

/* After tries in vain the name was left out, lest it was why they were: now the server says so if it was. */
function introduced() {
  const name = room.attempts > TRIES_BY_NAME ? always.read("name", "") : "";
  room.attempts = 0;
  if (name) rename(name);
}

function unnamed(words) {
  always.write("name", "");
  room.mine.refused(words);
}

function named(title) {
  at("room-title").textContent = title;
  room.noticing.titled(title);
  room.composer.to(title);
  if (!page.embed) visit(at("rooms"), { ...page.room, title });
}

Object.defineProperty(list, "value", { get: () => room.log.text });  // as the tutorial's text area has it
named(page.room.title);
room.mine.show(room.me);
wire({ connection: room.connection, outbox: room.outbox, timeline: room.timeline, notice, at });
room.connection.start();
