// The open chat: which bubbles stand where.

import { bubble, day } from "./bubbles.js";
import { $, make } from "./dom.js";

const NEAR = 120;
const GROUP_SECONDS = 300;

export class Log {
  constructor(act) {
    this.list = $("#log");
    this.scroller = $("#scroll");
    this.latest = $("#latest");
    this.act = { ...act, settled: () => this.following && this.toEnd(false) };
    this.following = true;
    this.missed = 0;
    this.top = 0;
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.latest.addEventListener("click", () => this.toEnd(true));
    new ResizeObserver(() => this.following && this.toEnd(false)).observe(this.scroller);
  }

  open(person, words) {
    this.language = person.persona.language;
    this.words = words;
    this.list.replaceChildren();
    for (const message of person.messages.values()) this.append(message);
    this.list.classList.add("still");
    requestAnimationFrame(() => this.list.classList.remove("still"));
    this.toEnd(false);
  }

  add(message) {
    const follow = this.following || !message.from.is_bot;
    this.append(message);
    if (follow) this.toEnd(true);
    else this.count(this.missed + 1);
  }

  append(message) {
    const previous = this.list.lastElementChild;
    const stamp = day(message.date, this.language, this.words);
    if (this.stampOf(previous) !== stamp) {
      const line = make("li", { class: "day" }, make("span", {}, stamp));
      line.dataset.day = stamp;
      this.list.append(line);
    }
    const item = this.draw(message);
    item.dataset.day = stamp;
    if (item.dataset.album && message.photo) return this.hang(item);
    this.list.append(item);
    this.join(item);
  }

  // The pictures of an album hang side by side, each still a message of its own.
  hang(item) {
    const last = this.list.lastElementChild;
    if (last?.classList.contains("album") && last.dataset.album === item.dataset.album)
      return last.firstElementChild.append(item);
    const side = item.classList.contains("mine") ? "mine" : "theirs";
    const album = make("li", { class: `album ${side}` }, make("ol", {}, item));
    Object.assign(album.dataset, { album: item.dataset.album, day: item.dataset.day, date: item.dataset.date });
    this.list.append(album);
    this.join(album);
  }

  draw(message) {
    const item = bubble(message, this.language, this.words, this.act);
    item.dataset.date = message.date;
    return item;
  }

  stampOf(item) {
    return item?.dataset.day;
  }

  // Messages of one sender close in time form a group; only its last has a tail.
  join(item) {
    const before = item.previousElementSibling;
    const side = item.classList.contains("mine") ? "mine" : "theirs";
    const close = before?.classList.contains(side) && item.dataset.date - before.dataset.date < GROUP_SECONDS;
    item.classList.toggle("joined", Boolean(close));
    before?.classList.toggle("followed", Boolean(close));
  }

  find(id) {
    return this.list.querySelector(`[data-id="${id}"]`);
  }

  replace(message) {
    const old = this.find(message.message_id);
    if (!old) return;
    const item = this.draw(message);
    item.dataset.day = old.dataset.day;
    for (const name of ["joined", "followed"])
      item.classList.toggle(name, old.classList.contains(name));
    item.classList.add("changed");
    old.replaceWith(item);
    if (this.following) this.toEnd(false);
  }

  remove(id) {
    const item = this.find(id);
    if (!item) return;
    const [before, after] = [item.previousElementSibling, item.nextElementSibling];
    const album = item.closest(".album");
    const gone = () => {
      item.remove();
      if (album) return album.querySelector("[data-id]") || album.remove();
      if (before?.classList.contains("day") && (!after || after.classList.contains("day"))) before.remove();
      else if (before && !after?.classList.contains("joined")) before.classList.remove("followed");
    };
    item.classList.add("leaving");
    setTimeout(gone, 180);
  }

  scrolled() {
    const left = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight;
    // A smooth scroll to the end passes here too; only scrolling up lets go.
    const up = this.scroller.scrollTop < this.top;
    this.top = this.scroller.scrollTop;
    this.following = left < NEAR || (this.following && !up);
    this.latest.hidden = this.following;
    if (this.following) this.count(0);
  }

  count(missed) {
    this.missed = missed;
    $("b", this.latest).textContent = missed || "";
  }

  toEnd(smooth) {
    this.following = true;
    this.count(0);
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior: smooth ? "smooth" : "instant" });
  }
}
