// What every page has: theme, language, the address, and what the browser keeps.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
export const query = new URLSearchParams(location.search);
export const strings = JSON.parse($("#strings")?.textContent || "{}");
export const data = JSON.parse($("#data")?.textContent || "{}");

export const say = (name, values = {}) => (strings[`page.${name}`] ?? name).replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");

export const store = {
  get(key) {
    try {
      return JSON.parse(localStorage.getItem(`ichikara:${key}`));
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(`ichikara:${key}`, JSON.stringify(value));
    } catch {
      // a browser that keeps nothing; the page works, and forgets
    }
  },
  keys: () => Object.keys(localStorage).filter((key) => key.startsWith("ichikara:")).map((key) => key.slice(9)),
};

// Theme: the reader's word, else the system's.
export function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const button = $("#theme");
  if (button) button.textContent = say(theme === "dark" ? "light" : "dark");
  document.dispatchEvent(new Event("themed"));
}

const dark = matchMedia("(prefers-color-scheme: dark)");
setTheme(query.get("theme") ?? store.get("theme") ?? (dark.matches ? "dark" : "light"));
$("#theme")?.addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  store.set("theme", theme);
  if (query.has("theme")) address({theme});
  setTheme(theme);
});
let shown;
addEventListener("beforeprint", () => {
  shown = document.documentElement.dataset.theme;
  setTheme("light");
});
addEventListener("afterprint", () => shown && setTheme(shown));

// The address holds every control. It is written a little after the last change.
let timer;
export function address(changes) {
  for (const [key, value] of Object.entries(changes)) value === undefined ? query.delete(key) : query.set(key, value);
  clearTimeout(timer);
  timer = setTimeout(() => {
    const text = query.size ? `?${query}` : location.pathname;
    history.replaceState(null, "", text + location.hash);
    links();
  }, 120);
}

function links() {
  const link = $("#language");
  if (link) link.href = link.dataset.href + (query.size ? `?${query}` : "") + location.hash;
}
links();
addEventListener("hashchange", links);

// The piece in view is marked beside the text; on a phone its number stands in the head.
const pieces = $$(".piece[id]");
const watched = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      $$(".rail a").forEach((link) => link.removeAttribute("aria-current"));
      $(`.rail a[href="#${entry.target.id}"]`)?.setAttribute("aria-current", "step");
      const number = $(".kick .k", entry.target);
      if (number && $(".pc")) $(".pc").textContent = `${number.textContent} / ${pieces.length}`;
    }
  },
  {rootMargin: "-20% 0px -70% 0px"},
);
pieces.forEach((piece) => watched.observe(piece));

// Recall: answer in the head, look, judge oneself. A question comes back later, or tomorrow.
const DAY = 24 * 60 * 60 * 1000;

export function recall() {
  for (const box of $$(".grade")) {
    const key = `recall:${box.dataset.question}`;
    for (const button of $$("button", box))
      button.addEventListener("click", () => {
        const good = button.dataset.good === "1", days = good ? Math.min(60, (store.get(key)?.days ?? 2) * 2) : 1;
        store.set(key, {good, days, due: Date.now() + days * DAY});
        const words = say(good ? "again_in" : "again_tomorrow", {days});
        box.replaceChildren(Object.assign(document.createElement("span"), {role: "status", textContent: words}));
      });
  }
}
