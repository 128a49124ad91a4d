/* A short sound, made on the spot: two soft notes, a third above for what is meant for oneself. Browsers let a page
   sound only after someone has used it; until then it stays silent, which is as well. */

const LOUD = 0.12;
const NOTES = [659.3, 880];  // Hz: e″, a″
const FOR_ME = 1108.7;  // c‴ sharp

let context = null;

export async function chime(isForMe = false) {
  context ??= new AudioContext();
  if (context.state === "suspended") await context.resume();
  const notes = isForMe ? [...NOTES, FOR_ME] : NOTES;
  notes.forEach((pitch, place) => note(pitch, context.currentTime + 0.02 + place * 0.11));
}

function note(pitch, at) {
  const tone = new OscillatorNode(context, { type: "sine", frequency: pitch });
  const volume = new GainNode(context, { gain: 0 });
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(LOUD, at + 0.012);
  volume.gain.exponentialRampToValueAtTime(0.0005, at + 0.5);
  tone.connect(volume).connect(context.destination);
  tone.start(at);
  tone.stop(at + 0.55);
}
