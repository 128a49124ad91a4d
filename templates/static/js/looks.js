/* Which names in this page can be mistaken for each other. Two people whose names look alike are marked with the
   beginning of their ids, both of them: the page can't know who had the name first, only that they are two. */

const SHORTEST = 3;  // characters of an id
const MOST = 5_000;  // looks remembered; then all are learnt anew

const owners = new Map();  // look -> the ids that were seen with it
let clashed = () => {};
let self = (id) => id;

/* *changed* is told when one more name turns out to look like another's; *oneself* turns ids one had before into the
   present one, since nobody is mistaken for themselves. */
export function tellApart({ changed, oneself }) {
  clashed = changed;
  self = oneself;
}

/* The mark of the person *id* called *name*: nothing while nobody's name looks like theirs. *looks* come from the
   server with names that are not plain ASCII. */
export function markOf(id, name, looks = looksOf(name)) {
  if (!id) return "";  // not known yet who one is
  const own = self(id);
  const rivals = new Set();
  for (const look of looks) {
    const ids = remember(look, own);
    for (const each of ids) if (self(each) !== own) rivals.add(each);
  }
  return rivals.size ? `·${own.slice(0, distinct(own, rivals))}` : "";
}

function remember(look, id) {
  if (owners.size > MOST) owners.clear();
  const ids = owners.get(look) ?? new Set();
  owners.set(look, ids);
  if (!ids.has(id)) {
    ids.add(id);
    if (ids.size > 1) clashed();
  }
  return ids;
}

function distinct(id, rivals) {
  let length = SHORTEST;
  while (length < id.length && [...rivals].some((other) => other.startsWith(id.slice(0, length)))) length++;
  return length;
}

/* Of plain ASCII, as the server does it (looks.py): without case; and drawn, where I, l, 1 and | are one stroke. */
function looksOf(name) {
  const drawn = name.replace(/[I1|]/g, "l").replaceAll("0", "o").toLowerCase().replaceAll("m", "rn");
  return new Set([name.toLowerCase(), drawn]);
}
