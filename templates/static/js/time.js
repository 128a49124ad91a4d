/* Times as people read them, in the page's language and the reader's own zone. */

import { lazily, locale, say } from "chat/words";

const clock = lazily(() => new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" }));
const exact = lazily(() => new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium" }));
const near = lazily(() => new Intl.DateTimeFormat(locale, { weekday: "long", month: "long", day: "numeric" }));
const far = lazily(() => new Intl.DateTimeFormat(locale, { year: "numeric", month: "long", day: "numeric" }));
const relative = lazily(() => new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" }));

export const hourAndMinute = (ms) => clock().format(ms);
export const exactly = (ms) => exact().format(ms);

/* For the narrow margin: without "AM". */
export function briefly(ms) {
  const parts = clock().formatToParts(ms).filter((part) => part.type !== "dayPeriod");
  return parts.map((part) => part.value).join("").trim();
}

/* A key that is the same for all times of one local day. */
export function dayOf(ms) {
  const date = new Date(ms);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

export function dayInWords(ms, now = Date.now()) {
  if (dayOf(ms) === dayOf(now)) return say("day.today");
  const yesterday = new Date(now);
  yesterday.setDate(yesterday.getDate() - 1);
  if (dayOf(ms) === dayOf(yesterday)) return say("day.yesterday");
  return (Math.abs(now - ms) < 300 * 86_400_000 ? near : far)().format(ms);
}

/* "now", "5 min. ago", "yesterday". */
export function ago(ms, now = Date.now()) {
  const minutes = Math.floor((now - ms) / 60_000);
  if (minutes < 1) return say("time.now");
  if (minutes < 60) return relative().format(-minutes, "minute");
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? relative().format(-hours, "hour") : relative().format(-Math.floor(hours / 24), "day");
}

/* <time> for *ms*, showing *text*, the exact time on hover. */
export function stamp(ms, text) {
  const time = document.createElement("time");
  time.dateTime = new Date(ms).toISOString();
  time.title = exactly(ms);
  time.textContent = text;
  return time;
}
