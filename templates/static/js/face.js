/* A person's picture: a seal drawn from their id, four by four, mirrored, its hue by the golden angle. Nobody else has
   the id, so an impostor with the same name has another face. Drawn with nodes; the hue is a custom property. */

const SVG = "http://www.w3.org/2000/svg";
const drawn = new Map();  // id -> node, to be cloned
const MOST = 500;
const LIMES = 65;  // degrees after yellow that all look alike to the eye, left out

export function faceOf(id) {
  const known = drawn.get(id) ?? draw(id);
  if (drawn.size >= MOST) drawn.delete(drawn.keys().next().value);
  drawn.set(id, known);
  const face = known.cloneNode(true);
  face.style.setProperty("--hue", known.style.getPropertyValue("--hue"));
  return face;
}

function draw(id) {
  const next = bytesFrom(id);
  const turn = ((next() << 8) | next()) * 137.508 % (360 - LIMES);
  const hue = turn < 60 ? turn : turn + LIMES;
  const face = document.createElement("span");
  face.className = "face";
  face.setAttribute("aria-hidden", "true");
  face.style.setProperty("--hue", hue.toFixed());
  const svg = shape("svg", { viewBox: "-.6 -.6 5.2 5.2", fill: "currentColor" });
  // All cells are one path: in a busy room a face is drawn for each message, and each node of it counts.
  const ground = shape("rect", { x: -.6, y: -.6, width: 5.2, height: 5.2, opacity: .15 });
  svg.append(ground, shape("path", { d: cells(next).join("") }));
  face.append(svg);
  return face;
}

function cells(next) {
  const shapes = [];
  for (let y = 0; y < 4; y++) {
    for (let x = 0; x < 2; x++) {
      const kind = next();
      if (kind % 3 !== 0) shapes.push(cell(kind, x, y), cell(kind, 3 - x, y));
    }
  }
  return shapes.length > 6 ? shapes : [...shapes, cell(3, 1, 1), cell(3, 2, 1), cell(1, 1, 2), cell(1, 2, 2)];
}

/* Turned clockwise each, so that overlapping edges don't cut holes. */
function cell(kind, x, y) {
  if (kind <= 60 || kind % 3 === 0) return `M${x} ${y}h1.02v1.02h-1.02z`;
  if (kind % 3 === 1) return `M${x} ${y + .5}a.5 .5 0 1 1 1 0a.5 .5 0 1 1-1 0z`;
  return x < 2 ? `M${x} ${y}h1.02v1.02z` : `M${x} ${y}h1.02L${x} ${y + 1.02}z`;
}

function shape(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

/* Bytes that depend on every character of *text*: FNV-1a, then a xorshift-multiply step for each. Needs no secrecy,
   and, unlike crypto.subtle, is there on plain http too. */
function bytesFrom(text) {
  let state = 0x811c9dc5;
  for (const char of text) state = Math.imul(state ^ char.codePointAt(0), 0x01000193);
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 8) & 0xff;
  };
}
