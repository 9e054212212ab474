// Questions of earlier lessons: answer in the head, look, judge oneself. Each comes back later, or tomorrow.

import {$, $$, say, store} from "./page.js";

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

// On the page of all questions only those stay that are due.
if ($(".none")) {
  const cards = $$("details[data-question]"), due = cards.filter((card) => (store.get(`recall:${card.dataset.question}`)?.due ?? Infinity) <= Date.now());
  cards.forEach((card) => (card.hidden = !due.includes(card)));
  due.forEach((card, i) => ($(".k", card).textContent = i + 1));
  $(".none").hidden = due.length > 0;
  recall();
}
