/* What the browser keeps for us, as JSON. Storage may be full, forbidden or forged: then things are kept for this page
   only, and nobody notices but whoever reloads. */

class Keep {
  #storage;
  #fallback = new Map();

  constructor(open) {
    try { this.#storage = open(); } catch { /* a browser that forbids storage throws on touch */ }
  }

  read(name, otherwise) {
    try {
      const text = this.#storage?.getItem(`chat.${name}`) ?? this.#fallback.get(name);
      return text == null ? otherwise : JSON.parse(text);
    } catch {
      return otherwise;
    }
  }

  write(name, value) {
    const text = JSON.stringify(value);
    try { this.#storage.setItem(`chat.${name}`, text); } catch { this.#fallback.set(name, text); }
  }
}

export const here = new Keep(() => sessionStorage);  // this tab's: survives a reload
export const always = new Keep(() => localStorage);  // this browser's
