/* The toolbar of a message: it comes where the pointer or the focus is, and there is one for all. With the keyboard:
   up and down go from message to message, right goes into the toolbar, letters do at once what its words say. */

import { confirmDelete, editor } from "chat/editor";
import { copyLink } from "chat/permalink";
import { along, rove, step } from "chat/roam";
import { toolbar } from "chat/toolbar";

const KEYS = { r: "reply", e: "edit", Delete: "delete", Backspace: "delete", "+": "more" };

const ABOVE = 18;  // px by which it stands out above its message

export class Actions {
  #row = null;  // whose toolbar it is
  #bar = toolbar();

  /* *answer* is told which message to answer. */
  constructor({ room, list, input, isMine, mayChange, changes, notice, advice, answer }) {
    Object.assign(this, { room, list, input, isMine, mayChange, changes, notice, advice, answer });
    list.addEventListener("keydown", (event) => this.#pressed(event));
    list.addEventListener("scroll", () => this.#row && this.#place(), { passive: true });
    list.addEventListener("pointerleave", ({ pointerType }) => {  // a finger that is lifted has not left
      if (pointerType !== "touch" && !this.#bar.contains(document.activeElement)) this.#hide();
    });
    document.addEventListener("pointerdown", ({ target }) => {
      if (!this.#row?.contains(target) && !target.closest(".picker")) this.#hide();
    });
    this.#bar.addEventListener("click", ({ target }) => this.#chosen(target.closest("button")));
  }

  /* A pointer or the focus came to *target*. A finger has no hover: it taps, and taps again to be rid of it. */
  reached({ type, target, pointerType }) {
    const row = target.closest?.(".msg");
    if (type === "pointerover" && pointerType === "touch") return;
    if (type !== "pointerdown") return row && this.#show(row);
    if (pointerType !== "touch" || !row || target.closest("a, button, pre, form")) return;
    if (row === this.#row && row.classList.contains("tapped")) return this.#hide();
    this.#show(row);
    row.classList.add("tapped");
    this.#bar.scrollIntoView({ block: "nearest" });
  }

  edit(id) {
    const rowOf = () => this.list.querySelector(`[data-id="${id}"]`);
    if (!rowOf()) this.room.timeline.show(id);  // further up than what is in the page
    const row = rowOf();
    if (!row) return;
    const done = (text) => (text.trim() ? this.changes.edit(id, text) : this.#confirm(row));
    const { composer, reader } = this.room;
    const over = (text) => composer.over(text);
    const end = () => { this.input.focus(); reader.edited(); };
    editor(row, this.changes.shown(this.#item(row)), { over, advice: this.advice, done, end });
    reader.edited();
  }

  #item(row) {
    const item = this.room.log.get(row?.dataset.id);
    return item?.message === undefined ? undefined : item;
  }

  #show(row) {
    if (row === this.#row && this.#bar.isConnected) return;
    this.#hide();
    const item = this.#item(row);
    if (!item || row.classList.contains("editing")) return;
    const mine = this.mayChange(item.from);
    this.#bar.querySelectorAll("[data-mine]").forEach((button) => { button.hidden = !mine; });
    rove(this.#bar, this.#bar.firstChild);
    this.#row = row;
    row.classList.add("acting");
    row.append(this.#bar);
    this.#place();
  }

  /* Above its message, unless that is at the edge. */
  #place() {
    const above = this.#row.getBoundingClientRect().top - this.list.getBoundingClientRect().top;
    this.#bar.classList.toggle("low", above < ABOVE);
  }

  #hide() {
    this.#row?.classList.remove("acting", "tapped");
    this.#row = null;
    this.#bar.remove();
  }

  #chosen(button) {
    const row = this.#row;
    if (!button || !row) return;
    if (button.dataset.emoji) this.#react(row, button.dataset.emoji);
    else this.#act(button.dataset.act, row);
  }

  #act(what, row) {
    const item = this.#item(row);
    if (!item || (!this.mayChange(item.from) && ["edit", "delete"].includes(what))) return;
    if (what === "more") return this.#pick(row);
    if (what === "link") return copyLink(item.id, this.notice);
    this.#hide();
    if (what === "reply") this.answer(item);
    if (what === "edit") this.edit(item.id);
    if (what === "delete") this.#confirm(row);
  }

  #react(row, emoji) {
    const { id, reactions = {} } = this.changes.shown(this.#item(row));
    this.changes.react(id, emoji, !reactions[emoji]?.some(this.isMine));
  }

  async #pick(row) {
    const { pick } = await import("chat/picker");
    const emoji = await pick(this.#bar.isConnected ? this.#bar.querySelector("[data-act=more]") : row);
    if (emoji) this.#react(row, emoji);
    (this.#bar.contains(document.activeElement) ? document.activeElement : row).focus();
  }

  #confirm(row) {
    const id = row.dataset.id;
    confirmDelete(row, { yes: () => this.changes.remove(id), end: () => this.input.focus() });
  }

  // -- keys

  #pressed(event) {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest("form, .confirm")) return;
    const row = target.closest(".msg");
    const handled = target.closest(".toolbar") ? along(this.#bar, row, key) : this.#among(row, target, key);
    if (handled) event.preventDefault();
  }

  /* From message to message, or into the toolbar of one. */
  #among(row, target, key) {
    if (key === "ArrowUp" || key === "ArrowDown") return step(this.list, row, key === "ArrowUp");
    if (!row || target !== row) return false;
    if (key === "Escape") this.input.focus();
    else if (key === "ArrowRight" || key === "Enter") this.#bar.querySelector("button").focus();
    else if (KEYS[key]) this.#act(KEYS[key], row);
    else return false;
    return true;
  }
}
