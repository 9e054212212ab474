// The socket to the server. One request for figures is in flight; of later ones the newest is kept.

const WAIT = 150; // milliseconds after which numbers that wait are shown as such

export class Socket {
  constructor(path) {
    this.path = path;
    this.next = 1;
    this.answers = new Map(); // by id, what to call with each message
    this.asked = new Map(); // by kind, the newest question
    this.flying = null;
    this.newest = null;
    this.open();
  }

  open() {
    this.web = new WebSocket(`ws://${location.host}/socket/${this.path}`);
    this.ready = new Promise((resolve) => this.web.addEventListener("open", resolve));
    this.web.addEventListener("message", (event) => this.arrived(JSON.parse(event.data)));
    this.web.addEventListener("close", (event) => {
      for (const [id, answer] of this.answers) answer({id, ended: true, error: event.reason || undefined});
      this.answers.clear();
      this.flying = this.newest = null;
      document.dispatchEvent(new Event("disconnected"));
      if (event.code !== 1008) setTimeout(() => this.open(), 1500);
    });
    this.ready.then(() => document.dispatchEvent(new Event("connected")));
  }

  async send(message, answer = () => {}) {
    const id = this.next++;
    this.answers.set(id, answer);
    await this.ready;
    this.web.send(JSON.stringify({id, ...message}));
    return id;
  }

  arrived(message) {
    const answer = this.answers.get(message.id);
    answer?.(message);
    if (message.ask !== "experiment" || message.ended || message.error) this.answers.delete(message.id);
  }

  // One answer to one message. The server takes one of a kind at a time, so later ones wait for it.
  ask(message) {
    const before = this.asked.get(message.ask) ?? Promise.resolve();
    const found = before.then(() => new Promise((resolve) => this.send(message, resolve)));
    this.asked.set(message.ask, found);
    return found;
  }

  // Figures: the latest values win.
  latest(message, answer) {
    if (this.flying) {
      this.newest = [message, answer];
      return;
    }
    const waiting = setTimeout(() => document.body.classList.add("waiting"), WAIT);
    this.flying = true;
    this.send(message, (found) => {
      clearTimeout(waiting);
      document.body.classList.remove("waiting");
      this.flying = null;
      const newest = this.newest;
      this.newest = null;
      if (newest) this.latest(...newest); // it is computed while the answer is drawn
      answer(found, newest === null);
    });
  }
}
