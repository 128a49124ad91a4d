/* What each frame of chat.v1 does to the room: one table. A type that isn't in it is from a later server: skipped. */

import { knows, say } from "chat/words";

export function hear(room, frame) {
  frames[frame.type]?.(room, frame);
}

const frames = {
  welcome(room, { you, room: { name }, limits }) {
    room.me = you;
    room.ids.add(you.id);
    room.composer.limit = limits.message;
    room.mine.limit = limits.name;
    room.mine.show(you);
    room.named(name);
    room.introduced();
  },

  live(room, { position, more }) {
    room.log.reached(position);
    if (room.asked === "history" || !room.known) room.log.more = more;  // the first history may have broken off
    const first = !room.known;
    room.known = true;
    room.busy();
    room.state.live();
    room.outbox.open();
    room.pages.open();
    room.quotes.open();
    if (first) room.opened();
    room.unread.look();
  },

  /* One's own echo is the ack: only with one's own id is the ref one's own. */
  message(room, frame) {
    room.log.reached(frame.id);
    room.people.quiet(frame.from);
    const entry = room.ids.has(frame.from) && frame.ref !== undefined && room.outbox.settle(frame.ref);
    const fresh = room.log.add(entry ? { ...frame, key: `ref:${frame.ref}` } : frame);
    if (fresh && !entry && room.known && !room.ids.has(frame.from)) {
      room.arrived();
      room.noticing.heard(frame);
      room.aloud.heard(frame);
    }
    room.reader.draw();
  },

  /* The log had it already, from an earlier try. Its echo may have come before we asked, or lie further back. */
  ack(room, { ref, id }) {
    const entry = room.outbox.settle(ref);
    const time = Number(id.split("-")[0]);
    if (entry && !entry.change && room.pages.reaches(id)) {
      const { text: message, reply } = entry;
      room.log.add({ id, key: `ref:${ref}`, time, message, reply, from: room.me.id, name: room.me.name });
    }
    room.reader.draw();
  },

  history(room, frame) {
    room.pages.got(frame);
  },

  edit: amendment((room, frame) => { room.log.edit(frame); room.quotes.edit(frame); }),
  reaction: amendment((room, frame) => room.log.react(frame)),
  delete: amendment((room, frame) => { room.log.remove(frame); room.quotes.remove(frame.target); }),

  got(room, frame) {
    room.quotes.got(frame);
  },

  gap(room, frame) {
    room.log.gap(frame);
    room.reader.draw();
  },

  presence(room, frame) {
    room.people.all(frame);
    room.state.draw();
  },

  "presence-diff"(room, frame) {
    const me = frame.joins?.find(({ id }) => id === room.me.id);
    if (me) room.mine.show(room.me = me);
    room.people.changed(frame);
    room.state.draw();
  },

  typing(room, { from, name }) {
    if (!room.ids.has(from)) room.people.typing(from, name);
  },

  pong() {},

  error(room, { code, words, retryable, ref }) {
    if (code === "unknown_type" && ref === undefined) return;  // a server that doesn't know our "ping" yet: alive
    const known = knows(`error.${code}`);
    const inWords = known ? say(`error.${code}`) : words;
    if (ref !== undefined) {
      const why = known || !retryable ? inWords : undefined;  // "held" explains nothing to a person
      if (room.outbox.refuse(ref, { retryable, words: why })) room.notice(inWords, true);
      else if (!retryable) room.aloud.say(say("message.failed", { why: inWords }));
    } else if (code === "bad_name") room.unnamed(inWords);
    else room.notice(inWords, true);
  },
};

function amendment(change) {
  return (room, frame) => {
    room.log.reached(frame.id);
    change(room, frame);
    if (room.ids.has(frame.from) && frame.ref !== undefined) room.outbox.settle(frame.ref);
    room.reader.draw();
  };
}
