/** Puts views into the page. While pictures follow each other, a view stays until its successor is drawn: nothing flickers. */
import { byId } from "./dom.ts";
import type { Shown } from "./view.ts";

let turn = 0; // of what is put there; what comes late is dropped
let held: Promise<void> | undefined; // while a pointer is down: what it drags must not be taken away
let release = (): void => {};
addEventListener("pointerdown", () => {
  held ??= new Promise((resolve) => {
    release = () => {
      held = undefined;
      resolve();
    };
  });
});
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => release());

/** Says whether pictures follow each other by themselves; then not every one of them is read out. */
export function setLive(live: boolean): void {
  document.body.toggleAttribute("data-live", live);
  byId("status").ariaLive = live ? "off" : "polite";
}

/** Whether they do. */
export function isLive(): boolean {
  return document.body.hasAttribute("data-live");
}

/** Shows a view below a head, and draws it. Resolves when it is drawn. */
export async function present(main: HTMLElement, view: Shown, head: HTMLElement | undefined): Promise<void> {
  const mine = ++turn;
  const old = main.querySelector(".layer-head");
  if (main.lastElementChild === view.root && head && old) old.replaceWith(head);
  else if (main.lastElementChild !== view.root || head || old) {
    if (isLive() && main.lastElementChild) {
      await view.update();
      await held;
      if (mine !== turn) return;
    }
    const focused = main.contains(document.activeElement) ? document.activeElement?.id : "";
    main.replaceChildren(...(head ? [head] : []), view.root);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
  await view.update();
}
