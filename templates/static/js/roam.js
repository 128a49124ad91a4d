/* Going about the log with the keyboard: from message to message, and from button to button of a toolbar. */

/* From *row*, or from the last one in sight, to the next; true if there is one or one stands on a message. */
export function step(list, row, up) {
  const rows = Array.from(list.querySelectorAll(".msg"));
  const next = row ? rows[rows.indexOf(row) + (up ? -1 : 1)] : lastInSight(list, rows);
  if (next) stand(next);
  return Boolean(next ?? row);
}

/* From button to button, and with Escape back to the message. */
export function along(bar, row, key) {
  const buttons = Array.from(bar.querySelectorAll("button:not([hidden])"));
  const way = { ArrowRight: 1, ArrowLeft: -1 }[key];
  if (key === "Escape") stand(row);
  else if (way) buttons.at((buttons.indexOf(document.activeElement) + way) % buttons.length).focus();
  return key === "Escape" || way !== undefined;
}

export function stand(row) {
  row.tabIndex = -1;
  row.focus();
  row.scrollIntoView({ block: "nearest" });
}

function lastInSight(list, rows) {
  const end = list.getBoundingClientRect().bottom;
  return rows.findLast((row) => row.getBoundingClientRect().top < end);
}
