// What a person means by a name: of what he sees inside the places, the control, button or link with that name on it or beside it. It is
// put into a call: find(places, kind, name).
(places, kind, name) => {
  const words = (nodes) => [...nodes].map((n) => n.textContent).join(" ").replace(/\s+/g, " ").trim().replace(/ ?\*$/, "");
  const seen = (e) => e.checkVisibility({ visibilityProperty: true });
  const titled = (e) => e.getAttribute("aria-label") ?? words(e.childNodes);

  let inside = document;
  for (const place of places) {
    const head = [...inside.querySelectorAll("legend, summary, h1, h2, h3, h4, nav[aria-label], [role=group][aria-label]")].find((e) => seen(e) && titled(e) === place);
    if (!head) return null;
    inside = head.matches("nav, [role=group]") ? head : head.closest("fieldset, details, section, form, aside, .field, [data-channel], .shape");
  }
  const beside = (e) => [...(e.labels ?? [])].map((l) => words([...l.childNodes].filter((n) => !n.contains(e)))).join(" ");
  const called = { control: (e) => e.getAttribute("aria-label") ?? beside(e), button: titled, figure: (e) => words([e.querySelector("span")]) };
  const kinds = { control: "input:not([type=hidden]), select, textarea", button: "button, a[href], summary", figure: ".tile" };
  const all = [...inside.querySelectorAll(kinds[kind])].filter(seen);
  let found = all.filter((e) => called[kind](e) === name);
  if (!found.length) found = all.filter((e) => called[kind](e).startsWith(name + " ")); // a figure follows the name
  if (found.length > 1) throw new Error(found.length + " things are called " + name);
  return found[0] ?? null;
}
