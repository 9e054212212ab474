// A lesson's page without a server: it holds what was computed when it was made, and its pictures stand still.

import {$, $$, data, query, say} from "./page.js";

// Answers from the page itself, as Socket does from the server.
export class Kept {
  send({ask, name}, answer = () => {}) {
    if (ask === "experiment" && data.kept.experiment[name]) answer(data.kept.experiment[name]);
    answer({ended: true});
  }

  ask({ask, name}) {
    return Promise.resolve(data.kept[ask][name]);
  }

  latest() {}
}

// Before the page begins: nothing can be dragged or drawn, and the address moves no control.
export function quiet() {
  for (const figure of Object.values(data.state.figures)) figure.handles = [];
  for (const host of $$("[data-draw]")) delete host.dataset.draw;
  for (const name of Object.keys(data.state.values)) query.delete(name);
}

// When it has begun: results are shown, and what needs the server is disabled.
export function settle() {
  for (const button of $$("[data-experiment] .row .btn, [data-claim] .row .btn")) {
    button.click();
    button.remove();
  }
  for (const one of $$("[data-control] :is(input, button), [data-action], [data-clear], [data-exercise] .row .btn")) one.disabled = true;
  $(".problem").textContent = say("still");
}
