/* What this page knows of the room's log: items sorted by id, each once. Knows nothing of the DOM.

   An item is a message as the server tells it; or a gap, {gap: reason}, where something is lost; or a hole,
   {hole: true}, behind whose id something was not read yet. What is live is always at the end. */

const MOST = 20_000;  // items; beyond it the oldest go as new ones come, and can be read again from the server

/* Ids are two numbers; digits alone compare by length first, then as text, at any size. */
const compareDigits = (a, b) => a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);

export function compareIds(a, b) {
  const [aMs, aSeq] = a.split("-");
  const [bMs, bSeq] = b.split("-");
  return compareDigits(aMs, bMs) || compareDigits(aSeq, bSeq);
}

const rank = (item) => (item.hole ? 2 : item.gap ? 1 : 0);
const compareItems = (a, b) => compareIds(a.id, b.id) || rank(a) - rank(b);

export class Log {
  items = [];
  more = false;  // are older messages kept than the first item?
  cursor = null;  // the position to resume from; null before anything is known
  #byId = new Map();

  /* *moved(place, count)* is told what was put in (or, negative, taken out) at a place. */
  constructor({ moved }) {
    this.moved = moved;
  }

  get(id) {
    return this.#byId.get(id);
  }

  /* Puts *item* in its place; false when it is there already. */
  add(item) {
    const place = this.placeOf(item);
    const next = this.items[place];
    if (next && compareItems(next, item) === 0) return false;
    this.items.splice(place, 0, item);
    if (rank(item) === 0) this.#byId.set(item.id, item);
    this.moved(place, 1);
    if (place === this.items.length - 1 && this.items.length > MOST) this.#drop(0);  // not what was asked for
    return true;
  }

  /* The room went on to *id*, with whatever kind of event. */
  reached(id) {
    if (this.cursor === null || compareIds(id, this.cursor) > 0) this.cursor = id;
  }

  /* *messages* are all there are right before *before*; *more*: older ones are kept. It may be an island. */
  earlier(before, messages, more) {
    const place = this.placeOf({ id: before });
    const [hole, next] = [this.items[place - 1], this.items[place]];
    messages.forEach((message) => this.add(message));
    const tells = messages.length || !next || next.id === before;  // else nothing of the way to our first
    if (place === 0 || (place === 1 && hole.gap)) this.more = tells ? more : this.more;
    else if (hole.hole && (!more || compareIds(messages[0].id, hole.id) <= 0)) this.#drop(this.items.indexOf(hole));
    const unknown = place === 0 || hole.hole;
    if (messages.length && unknown && next && next.id !== before) this.add({ id: messages.at(-1).id, hole: true });
  }

  /* *messages* are all there are behind the hole at *after*, up to *position*; *more*: later ones are kept. */
  later(after, messages, position, more) {
    const place = this.placeOf({ id: after, hole: true });
    if (!this.items[place]?.hole || this.items[place].id !== after) return;
    const next = this.items[place + 1];
    this.#drop(place);
    messages.forEach((message) => this.add(message));
    if (more && (!next || compareIds(position, next.id) < 0)) this.add({ id: position, hole: true });
  }

  edit({ target, message, rich, time }) {
    const item = this.get(target);
    if (item && !item.deleted) Object.assign(item, { message, rich, edited: time });
  }

  react({ target, emoji, on, from }) {
    const item = this.get(target);
    if (item && !item.deleted) item.reactions = react(item.reactions, emoji, from, on !== false);
  }

  /* What was there leaves a mark, for whoever has seen it, and nothing else. */
  remove({ target, time }) {
    const item = this.get(target);
    if (!item) return;
    for (const part of ["message", "rich", "reactions", "reply", "edited"]) delete item[part];
    item.deleted = time;
  }

  /* Something is missing after *after*. A position below ours: the ids we hold may be given again, so forget all. */
  gap({ after, position, reason }) {
    if (reason === "lost" || (this.cursor !== null && compareIds(position, this.cursor) < 0)) {
      this.#forget();
      this.more = true;
      this.cursor = position;
      this.add({ id: position, gap: reason });
    } else {
      this.add({ id: after, gap: reason });
      this.reached(position);
    }
  }

  /* The text of the log, one message a line, as the tutorial's text area has it. */
  get text() {
    return this.items.map((item) => (rank(item) || item.deleted ? "" : `${item.message}\n`)).join("");
  }

  /* Where *item* is, or would be: the first place whose item is not before it. */
  placeOf(item) {
    let low = 0;
    let high = this.items.length;
    if (high && compareItems(this.items[high - 1], item) < 0) return high;  // nearly always
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareItems(this.items[middle], item) < 0) low = middle + 1; else high = middle;
    }
    return low;
  }

  #drop(place) {
    const [item] = this.items.splice(place, 1);
    if (rank(item) === 0) this.#byId.delete(item.id);
    if (place === 0) this.more = true;
    this.moved(place, -1);
  }

  #forget() {
    const count = this.items.length;
    this.items = [];
    this.#byId.clear();
    this.moved(0, -count);
  }
}

/* *reactions* with *who* among those who put *emoji* there, or not. */
export function react(reactions = {}, emoji, who, on) {
  const fans = (reactions[emoji] ?? []).filter((fan) => fan !== who);
  if (on) return { ...reactions, [emoji]: [...fans, who] };
  const { [emoji]: _, ...others } = reactions;
  return fans.length ? { ...reactions, [emoji]: fans } : others;
}

/* The smallest id after *id*. */
export function following(id) {
  const [ms, seq] = id.split("-");
  return `${ms}-${BigInt(seq) + 1n}`;
}
