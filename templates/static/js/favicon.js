/* The tab's icon with a number on it, drawn when there is one. */

const SIZE = 64;

let plain = null;  // the icon without a number

export async function draw(link, unread, mentions) {
  link.dataset.plain ||= link.href;
  link.dataset.shows = unread ? `${mentions ? "@" : ""}${unread}` : "";
  if (!unread) {
    link.href = link.dataset.plain;
    return;
  }
  plain ??= await load(link.dataset.plain);
  if (!link.dataset.shows) return;  // read meanwhile
  const canvas = Object.assign(document.createElement("canvas"), { width: SIZE, height: SIZE });
  const pen = canvas.getContext("2d");
  pen.drawImage(plain, 0, 0, SIZE, SIZE);
  spot(pen, mentions ? "@" : unread > 99 ? "99" : String(unread), Boolean(mentions));
  link.href = canvas.toDataURL();
}

async function load(address) {
  const image = new Image(SIZE, SIZE);
  image.src = address;
  await image.decode();
  return image;
}

/* A round spot in the corner, cut out of the icon: ink for a number, paper for what is meant for oneself. */
function spot(pen, text, isForMe) {
  const radius = text.length > 1 ? 23 : 20;
  const middle = SIZE - radius;
  const disc = (size) => { pen.beginPath(); pen.arc(middle, middle, size, 0, 7); pen.fill(); };
  pen.globalCompositeOperation = "destination-out";
  disc(radius + 4);
  pen.globalCompositeOperation = "source-over";
  pen.fillStyle = isForMe ? "#fff" : "#211f1c";
  disc(radius);
  pen.fillStyle = isForMe ? "#b3301a" : "#fff";
  pen.font = `700 ${text.length > 1 ? 28 : 32}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(text, middle, middle + 2);
}
