// Where a person writes, chooses commands and brings files.

import { summary } from "./bubbles.js";
import { areImages, askHow } from "./dialogs.js";
import { $, label, make } from "./dom.js";

const TALLEST = 160;

export class Composer {
  constructor(send) {
    this.send = send;
    this.text = $("#text");
    this.commands = $("#commands");
    this.menu = [];
    this.replied = null;
    $("#composer").addEventListener("submit", (event) => this.submit(event));
    this.text.addEventListener("input", () => this.typed());
    this.text.addEventListener("input", () => this.text.value === "/" && this.send.menu());
    this.text.addEventListener("keydown", (event) => this.pressed(event));
    $("#menu-open").addEventListener("click", () => this.opened());
    $("#replying button").addEventListener("click", () => this.reply(null));
    $("#attach").addEventListener("click", () => $("#picker").click());
    $("#picker").addEventListener("change", (event) => this.picked(event.target));
    document.addEventListener("paste", (event) => this.pasted(event));
    document.addEventListener("click", (event) => !event.target.closest("#bottom") && this.offer([]));
    this.prepareDrop();
  }

  // Each chat has its own draft.
  open(words, language, draft) {
    this.words = words;
    this.text.placeholder = words.text;
    this.text.lang = language;
    label(this.text, words.text);
    label($("#send"), words.send);
    label($("#attach"), words.attach);
    label($("#menu-open"), words.menu);
    const [photo, file] = $("#drop").children;
    $("b", photo).textContent = words.dropPhoto;
    $("span", photo).textContent = words.asPhotoHint;
    $("b", file).textContent = words.dropFile;
    $("span", file).textContent = words.asFileHint;
    label($("#replying button"), words.noReply);
    this.reply(null);
    this.write(draft);
    this.offer([]);
  }

  write(text) {
    this.text.value = text;
    this.typed();
  }

  // Names the message that what is sent next answers; null for none.
  reply(message) {
    this.replied = message;
    $("#replying").hidden = !message;
    if (!message) return;
    $("#replying p").replaceChildren(make("b", {}, this.words.replyTo), make("span", {}, summary(message, this.words)));
    this.text.focus();
  }

  // The number of the message answered, once.
  answered() {
    const number = this.replied?.message_id ?? 0;
    this.reply(null);
    return number;
  }

  setMenu(commands) {
    const shown = !this.commands.hidden;
    const awaited = shown || !this.menu.length;
    this.menu = commands;
    $("#menu-open").hidden = !commands.length;
    if (this.text.value && awaited) this.typed();
    else if (shown) this.offer(commands);
  }

  // A role may have come or gone since the menu was last read.
  opened() {
    this.offer(this.commands.hidden ? this.menu : []);
    this.send.menu();
  }

  setKeyboard(keyboard) {
    const box = $("#keyboard");
    box.hidden = !keyboard;
    const texts = (keyboard?.keyboard ?? []).map((row) => row.map((key) => key.text ?? key));
    const press = (text) => {
      const button = make("button", { type: "button" }, text);
      button.addEventListener("click", () => this.send.text(text));
      return button;
    };
    box.replaceChildren(...texts.map((row) => make("div", {}, ...row.map(press))));
  }

  async submit(event) {
    event.preventDefault();
    const text = this.text.value.trim();
    if (!text) return;
    this.write("");
    const sent = await this.send.text(text, this.answered());
    if (!sent && !this.text.value) this.write(text);
  }

  typed() {
    const value = this.text.value;
    this.text.style.height = "auto";
    // Hidden it has no height.
    if (this.text.scrollHeight) this.text.style.height = `${Math.min(this.text.scrollHeight, TALLEST)}px`;
    $("#send").disabled = !value.trim();
    const wanted = /^\/\w*$/.test(value) ? value.slice(1) : null;
    this.offer(wanted === null ? [] : this.menu.filter((item) => item.command.startsWith(wanted)));
  }

  pressed(event) {
    const options = [...this.commands.children];
    const index = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (event.isComposing) return;
    if (event.key === "Escape") this.commands.hidden ? this.reply(null) : this.offer([]);
    else if (options.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const next = (index + (event.key === "ArrowDown" ? 1 : -1) + options.length) % options.length;
      options.forEach((option, at) => option.setAttribute("aria-selected", at === next));
      options[next].scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && !event.shiftKey) {
      if (index >= 0) options[index].click();
      else $("#composer").requestSubmit();
    } else return;
    event.preventDefault();
  }

  offer(commands) {
    this.commands.hidden = !commands.length;
    $("#menu-open").setAttribute("aria-expanded", !this.commands.hidden);
    this.commands.replaceChildren(
      ...commands.map(({ command, description }, at) => {
        const item = make("li", { role: "option", "aria-selected": at === 0, tabIndex: -1 });
        item.append(make("b", {}, `/${command}`), make("span", {}, description));
        item.addEventListener("click", () => this.choose(command));
        return item;
      }),
    );
    if (commands.length) this.text.focus();
  }

  choose(command) {
    this.write("");
    this.send.text(`/${command}`);
  }

  picked(input) {
    const files = [...input.files];
    input.value = "";
    this.ask(files);
  }

  pasted(event) {
    const files = [...event.clipboardData.files];
    if (!files.length || this.closed()) return;
    event.preventDefault();
    this.ask(files);
  }

  // Whether nothing can be sent now: a dialog is open, or the bot not started.
  closed() {
    return $("#composer").hidden || document.querySelector("dialog[open]") !== null;
  }

  async ask(files) {
    if (!files.length) return;
    const how = await askHow(files, this.words);
    this.text.focus();
    if (how) this.send.files(files, how.as, how.caption, this.answered());
  }

  prepareDrop() {
    const drop = $("#drop");
    const zone = (event) => event.target.closest?.("#drop > div");
    let inside = 0;
    const show = (shown) => {
      inside = shown ? inside : 0;
      drop.hidden = !shown;
    };
    const hasFiles = (event) => [...event.dataTransfer.types].includes("Files");
    document.addEventListener("dragenter", (event) => {
      if (!hasFiles(event) || this.closed()) return;
      inside += 1;
      const kinds = [...event.dataTransfer.items].map((item) => item.type);
      $("[data-as=photo]", drop).hidden = !kinds.every((kind) => kind.startsWith("image/"));
      show(true);
    });
    document.addEventListener("dragleave", () => {
      inside -= 1;
      if (inside <= 0) show(false);
    });
    document.addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      for (const child of drop.children) child.classList.toggle("over", child === zone(event));
    });
    document.addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      const as = zone(event)?.dataset.as;
      show(false);
      const files = [...event.dataTransfer.files];
      if (!files.length || this.closed()) return;
      if (as === "document" || (as === "photo" && areImages(files))) this.send.files(files, as, "", this.answered());
      else this.ask(files);
    });
  }
}
