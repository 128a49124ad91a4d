/* What someone changed of what was said: kept in the outbox until the log has it, shown at once. */

import { react } from "chat/log";

export class Changes {
  /* *me* gives the person's own {id}. */
  constructor({ outbox, quotes, me }) {
    Object.assign(this, { outbox, quotes, me });
  }

  edit(id, message) {
    return this.#make({ type: "edit", id, message });
  }

  remove(id) {
    return this.#make({ type: "delete", id });
  }

  react(id, emoji, on) {
    return this.#make({ type: "react", id, emoji, on });
  }

  /* *item* of the log as it will be when what waits here is done, with what it replies to. */
  shown(item) {
    if (item.deleted) return item;
    const changes = this.outbox.changesOf(item.id);
    if (!changes.length && !item.reply) return item;
    const view = item.reply ? { ...item, quote: this.quotes.of(item.reply) } : { ...item };
    for (const change of changes) foreseen[change.type]?.(view, change, this.me());
    return view;
  }

  #make(change) {
    return this.outbox.add("", { change });
  }
}

const foreseen = {
  edit: (view, { message }) => Object.assign(view, { message, rich: undefined, state: "waiting" }),
  delete: (view) => Object.assign(view, { state: "waiting" }),
  react: (view, { emoji, on }, { id }) => Object.assign(view, { reactions: react(view.reactions, emoji, id, on) }),
};
