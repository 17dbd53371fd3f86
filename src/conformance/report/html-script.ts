/** What the HTML report's page does: filters, and opening the case that a link names. Nothing is hidden without it. */
export const PAGE_SCRIPT = `
(() => {
  const form = document.querySelector(".filters");
  const cases = [...document.querySelectorAll("details.case")];
  const out = form.querySelector("output");
  form.hidden = false;
  const chosen = (name) => new Set([...form.querySelectorAll("input[name=" + name + "]:checked")].map((i) => i.value));
  const apply = () => {
    const levels = chosen("level");
    const states = chosen("status");
    const words = form.elements.text.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let shown = 0;
    for (const one of cases) {
      const { level, status, text } = one.dataset;
      const fits = levels.has(level) && states.has(status) && words.every((word) => text.includes(word));
      one.hidden = !fits;
      if (fits) shown++;
    }
    out.textContent = shown === cases.length ? cases.length + " cases" : shown + " of " + cases.length + " cases";
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  const open = () => {
    const one = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (one instanceof HTMLDetailsElement) {
      one.hidden = false;
      one.open = true;
      one.scrollIntoView();
    }
  };
  addEventListener("hashchange", open);
  // On paper what fails is open, also where it was closed on the screen.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = cases.filter((one) => !one.open && /^(failed|error|unexpected-pass)$/.test(one.dataset.status));
    for (const one of closed) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of closed) one.open = false;
  });
  apply();
  open();
})();
`;
