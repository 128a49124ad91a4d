/* Naming a room: while one types, the server is asked whether that can be a name, so that the words are its own. */

const PAUSE_MS = 250;

export function watchName(input, refusal) {
  input.focus({ preventScroll: true });  // autofocus waits for a first drawing: who types blind would lose a letter
  let timer = null;
  let asking = null;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    asking?.abort();
    if (!input.value.trim()) return show(refusal, input, "");
    timer = setTimeout(async () => {
      asking = new AbortController();
      const words = await ask(input.value, asking.signal);
      if (words !== null) show(refusal, input, words);
    }, PAUSE_MS);
  });
}

/* Why *name* can't be a room's: words, or "" if it can; null when the server does not say. */
async function ask(name, signal) {
  try {
    const answer = await fetch(`/chat/name?${new URLSearchParams({ room: name })}`, { signal });
    return answer.ok ? (await answer.json()).refusal ?? "" : null;
  } catch {
    return null;
  }
}

function show(refusal, input, words) {
  refusal.hidden = !words;
  if (refusal.textContent !== words) refusal.textContent = words;
  if (words) input.setAttribute("aria-invalid", "true"); else input.removeAttribute("aria-invalid");
}
