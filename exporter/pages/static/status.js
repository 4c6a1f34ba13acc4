// Keeps a page as the fleet is: asks for the same page every few seconds and takes over what differs, element by
// element, so that focus, scrolling, what is selected and what is typed stay. Without this script a page is as complete.
"use strict";

const EVERY = 5000;
const live = document.getElementById("live");
let failed = false;

const say = (text) => {
  if (live.textContent !== text) live.textContent = text;
};

/** What tells an element among its siblings; empty where only its place does. */
const key = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset.key || node.id : "");

const alike = (old, now) => old.nodeName === now.nodeName && key(old) === key(now);

/** Makes an element or a text what `now` is. */
const take = (old, now) => {
  if (old.isEqualNode(now)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = now.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) if (!now.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  takeChildren(old, now);
};

const takeChildren = (old, now) => {
  const known = new Map([...old.childNodes].filter(key).map((child) => [key(child), child]));
  let here = old.firstChild;
  for (const wanted of now.childNodes) {
    const found = key(wanted) ? known.get(key(wanted)) : here;
    if (found && alike(found, wanted)) {
      known.delete(key(found));
      if (found === here) here = here.nextSibling;
      else old.insertBefore(found, here);
      take(found, wanted);
    } else old.insertBefore(document.importNode(wanted, true), here);
  }
  while (here) {
    const next = here.nextSibling;
    here.remove();
    here = next;
  }
};

const refresh = async () => {
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const known = fresh.body.dataset.page;
  if (!known || answer.status === 503) throw new Error(`status ${answer.status}`);
  const focused = document.activeElement;
  const parts = [...document.querySelectorAll("[data-live]")].map((old) => [old, fresh.getElementById(old.id)]);
  const same = known === document.body.dataset.page && fresh.querySelectorAll("[data-live]").length === parts.length;
  if (same && parts.every(([, now]) => now)) parts.forEach(([old, now]) => take(old, now));
  else take(document.querySelector("main"), fresh.querySelector("main"));
  document.body.dataset.page = known;
  // An element that had to move among others loses the focus.
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
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
