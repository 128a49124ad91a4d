/* The line above the composer that says which message is being answered. */

import { briefly } from "chat/quotes";
import { say } from "chat/words";

export function answerBar(item, end) {
  const bar = document.createElement("div");
  bar.className = "answer";
  const who = document.createElement("bdi");
  who.textContent = item.name;
  const words = document.createElement("bdi");
  words.className = "words";
  words.textContent = briefly(item);
  const label = document.createElement("span");
  label.textContent = say("answer.to");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = say("answer.end");
  button.addEventListener("click", end);
  bar.append(label, who, words, button);
  return bar;
}
