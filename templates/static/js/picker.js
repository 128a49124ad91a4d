/* A few dozen emoji to choose from, in a small window beside what it was opened from. */

import { say } from "chat/words";

const COLUMNS = 8;
const EMOJI = (
  "👍 👎 ❤️ 😄 😂 😊 😍 🤩 😎 🤔 😮 😢 😭 😡 🥳 😴 🙈 👀 👏 🙌 🙏 💪 🤝 👋 "
  + "✌️ 🤞 🫶 💔 🔥 ✨ ⭐ 🎉 🎂 🎁 🏆 🚀 💡 📌 ✅ ❌ ❓ ❗ 💯 ⏳ 🐛 🔧 🔒 📈 "
  + "☕ 🍵 🍜 🍕 🍎 🍻 🌱 🌸 🌞 🌧️ 🌈 🐱 🐶 🦊 🐼 🐢"
).split(" ");

/* The chosen emoji, or null. */
export function pick(beside) {
  const window = document.createElement("div");
  window.className = "picker";
  window.popover = "auto";  // closes on Escape and on a press elsewhere, and lies above everything
  window.setAttribute("role", "group");
  window.setAttribute("aria-label", say("picker.label"));
  for (const emoji of EMOJI) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = emoji;
    window.append(button);
  }
  window.addEventListener("keydown", (event) => move(window, event));
  document.body.append(window);
  window.showPopover();
  place(window, beside.getBoundingClientRect());
  window.firstChild.focus();
  return new Promise((chosen) => {
    window.addEventListener("click", ({ target }) => {
      if (!target.closest("button")) return;
      chosen(target.textContent);
      window.hidePopover();
    });
    window.addEventListener("toggle", ({ newState }) => {
      if (newState !== "closed") return;
      window.remove();
      chosen(null);
    });
  });
}

function place(window, { left, right, top, bottom }) {
  const { offsetWidth: width, offsetHeight: height } = window;
  const x = document.dir === "rtl" ? left : right - width;
  const y = bottom + height + 8 < innerHeight ? bottom + 4 : top - height - 4;
  window.style.setProperty("--x", `${Math.max(8, Math.min(x, innerWidth - width - 8))}px`);
  window.style.setProperty("--y", `${Math.max(8, y)}px`);
}

function move(window, event) {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const buttons = Array.from(window.children);
  buttons[buttons.indexOf(document.activeElement) + step]?.focus();
}
