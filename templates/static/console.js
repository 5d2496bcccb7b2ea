// Everything in the console works without this file. It keeps the figures of a running send fresh, counts an audience while it is typed, and
// guards against a double click.
(() => {
  "use strict";

  const live = document.querySelector("[data-poll]");
  if (live) poll(live, live.dataset.poll);

  const part = document.querySelector("[data-refresh][id]");
  if (part) refresh(part);

  const typed = document.querySelector("form[data-look]");
  if (typed) look(typed);

  // What is wider than its place is scrolled with the keys.
  const sized = new ResizeObserver((boxes) => {
    for (const { target } of boxes) {
      if (target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const box of document.querySelectorAll(".scroll, pre")) sized.observe(box);

  // While the operator types, what stands in the form is counted; only the answer to the newest question is shown.
  function look(form) {
    let wait, asked = 0;
    form.querySelector("[data-looks]").hidden = true;
    form.addEventListener("input", () => {
      clearTimeout(wait);
      wait = setTimeout(ask, 300);
    });
    async function ask() {
      const mine = ++asked;
      const box = document.getElementById("look");
      box.setAttribute("aria-busy", "true");
      try {
        const answer = await fetch(form.dataset.look, { method: "POST", body: new URLSearchParams(new FormData(form)), credentials: "same-origin" });
        if (mine !== asked) return;
        if (!answer.ok) return;
        const now = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("look");
        if (!now) return location.reload(); // signed out
        if (mine === asked) box.replaceWith(now);
      } catch {
        return; // the network is away: the next key asks again
      } finally {
        if (mine === asked) box.removeAttribute("aria-busy");
      }
    }
  }

  // A part of the page that works on is fetched with it, until it comes without the mark.
  async function refresh(box) {
    while (box.hasAttribute("data-refresh")) {
      await new Promise((next) => setTimeout(next, 2000));
      if (document.hidden) continue;
      try {
        const answer = await fetch(location.pathname, { credentials: "same-origin" });
        if (!answer.ok) continue;
        const now = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(box.id);
        if (!now) return location.reload(); // signed out
        box.replaceWith(now);
        box = now;
      } catch {
        continue; // the server is being restarted, or the network is away
      }
    }
  }

  async function poll(box, url) {
    for (;;) {
      await new Promise((next) => setTimeout(next, 2000));
      if (document.hidden) continue;
      let now;
      try {
        const answer = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
        if (answer.status === 401) return location.reload();
        if (!answer.ok) continue;
        now = await answer.json();
      } catch {
        continue; // the server is being restarted, or the network is away
      }
      show(box, now);
      if (now.over) return location.reload(); // the list and WeChat's figures are complete now
    }
  }

  function show(box, now) {
    for (const cell of box.querySelectorAll("[data-count]")) {
      const n = now.counts[cell.dataset.count] ?? 0;
      cell.textContent = String(n);
      cell.parentElement.classList.toggle("zero", n === 0);
    }
    const label = document.querySelector("[data-live=label]");
    if (label) {
      label.textContent = now.label;
      label.className = "badge run-" + now.state;
    }
    const rows = now.reasons.map((reason) => {
      const row = document.createElement("tr");
      row.append(cell(reason.label, ""), cell(String(reason.count), "num"));
      return row;
    });
    box.querySelector("[data-reasons]").replaceChildren(...rows);
    box.querySelector("[data-no-reasons]").hidden = rows.length > 0;
  }

  function cell(text, kind) {
    const td = document.createElement("td");
    td.textContent = text;
    td.className = kind;
    return td;
  }

  // What is chosen beside a text is put where the cursor stands in it.
  document.addEventListener("change", (event) => {
    const text = document.getElementById(event.target.dataset.insert ?? "");
    if (!text) return;
    text.setRangeText(event.target.value, text.selectionStart, text.selectionEnd, "end");
    event.target.value = "";
    text.focus();
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => {
    for (const form of document.forms) delete form.dataset.sent; // back from the next page
  });
})();
