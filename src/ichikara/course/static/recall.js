// The page of all questions: only those stay that are due.

import {$, $$, recall, store} from "./page.js";

const cards = $$("details[data-question]"), due = cards.filter((card) => (store.get(`recall:${card.dataset.question}`)?.due ?? Infinity) <= Date.now());
cards.forEach((card) => (card.hidden = !due.includes(card)));
due.forEach((card, i) => ($(".k", card).textContent = i + 1));
$(".none").hidden = due.length > 0;
recall();
