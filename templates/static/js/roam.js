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
  const here = buttons.indexOf(document.activeElement);
  const next = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: -1 }[key];
  if (key === "Escape") stand(row);
  else if (next !== undefined) rove(bar, buttons.at(next % buttons.length)).focus();
  return key === "Escape" || next !== undefined;
}

/* *button* is the one of *bar* at which Tab stops. */
export function rove(bar, button) {
  for (const each of bar.children) each.tabIndex = each === button ? 0 : -1;
  return button;
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
