// Asks for the page again every few seconds, and puts in what has changed.
"use strict";

const EVERY = 5000;
const live = document.getElementById("live");
let failed = false;

const say = (text) => {
  if (live.textContent !== text) live.textContent = text;
};

const refresh = async () => {
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (now && now.innerHTML !== old.innerHTML) put(old, now);
  }
};

// A table keeps its place, and what was focused in it stays so.
const put = (old, now) => {
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const key = focused && (focused.id ? `#${CSS.escape(focused.id)}` : focused.getAttribute("href"));
  const left = [...old.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
  old.replaceChildren(...now.childNodes);
  old.querySelectorAll(".scroll").forEach((each, at) => (each.scrollLeft = left[at] ?? 0));
  if (!focused) return;
  const again = key?.startsWith("#")
    ? old.querySelector(key)
    : [...old.querySelectorAll("[href]")].find((each) => each.getAttribute("href") === key);
  (again ?? old.querySelector(".scroll"))?.focus({ preventScroll: true });
};

const turn = async () => {
  if (!document.hidden) {
    try {
      await refresh();
      if (failed) say("The exporter answers again.");
      failed = false;
    } catch (error) {
      failed = true;
      say(`No answer from the exporter (${error.message}): what is shown is old.`);
    }
    document.documentElement.classList.toggle("old", failed);
  }
  setTimeout(turn, EVERY);
};

setTimeout(turn, EVERY);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh().catch(() => {});
});
for (const select of document.querySelectorAll("form select"))
  select.addEventListener("change", () => select.form.requestSubmit());
