/* The keyboard on a phone's screen. Browsers that know interactive-widget make the page shorter themselves; the others
   lay the keyboard over it and tell of that only in the visual viewport. There the room gives way, so that the composer
   and the newest message stay in sight. */

const LEAST_PX = 80;  // less is a toolbar that comes and goes

export function giveWayToKeyboard() {
  const seen = globalThis.visualViewport;
  seen?.addEventListener("resize", () => {
    const covered = seen.scale === 1 ? innerHeight - seen.height : 0;  // zoomed in by hand, it is smaller anyway
    const gives = covered > LEAST_PX;
    document.documentElement.style.setProperty("--covered", gives ? `${Math.round(covered)}px` : "0px");
    if (gives) scrollTo(0, 0);  // Safari pushes the page up to show the field, and would leave it there
  });
}
