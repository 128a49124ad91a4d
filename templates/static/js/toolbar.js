/* The buttons one gets for a message. Another deed is another button here, and what it does in actions.js. */

import { say } from "chat/words";

const QUICK = ["👍", "❤️", "😄"];

export function toolbar() {
  const bar = document.createElement("div");
  bar.className = "toolbar";
  bar.setAttribute("role", "toolbar");
  bar.setAttribute("aria-label", say("actions.all"));
  for (const emoji of QUICK) bar.append(button(emoji, { emoji }, say("actions.react", { emoji })));
  bar.append(button("+", { act: "more" }, say("actions.more")));
  bar.append(button(say("actions.reply"), { act: "reply" }));
  if (navigator.clipboard) bar.append(button(say("actions.link"), { act: "link" }));
  bar.append(button(say("actions.edit"), { act: "edit", mine: "" }));
  bar.append(button(say("actions.delete"), { act: "delete", mine: "" }));
  return bar;
}

function button(text, data, label) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  if (label) made.setAttribute("aria-label", label);
  Object.assign(made.dataset, data);
  return made;
}
