// Messages as bubbles.

import { icon, label, make, size } from "./dom.js";
import { nodes } from "./entities.js";

// Pixels a picture takes at most and at least.
const [LARGEST, NARROWEST, LOWEST] = [430, 220, 120];

const clock = (seconds, language) =>
  new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(seconds * 1000);

export function day(seconds, language, words) {
  const date = new Date(seconds * 1000);
  if (date.toDateString() === new Date().toDateString()) return words.today;
  return new Intl.DateTimeFormat(language, { day: "numeric", month: "long" }).format(date);
}

function picture(message, words, act) {
  const largest = message.photo.at(-1);
  const button = make("button", { class: "picture", type: "button" });
  label(button, words.open);
  const image = make("img", { src: `/sim/files/${largest.file_id}`, alt: message.caption || words.open });
  image.addEventListener("load", act.settled);
  const scale = Math.min(1, LARGEST / largest.width, LARGEST / largest.height);
  const width = Math.max(largest.width * scale, NARROWEST);
  button.style.setProperty("--width", `${width}px`);
  button.style.aspectRatio = width / Math.max(largest.height * scale, LOWEST);
  button.append(image);
  button.addEventListener("click", () => act.view(image.src, message.caption || ""));
  return button;
}

function file(message, words) {
  const { file_id: id, file_name: name, file_size: bytes } = message.document;
  const suffix = name.includes(".") ? name.split(".").pop().slice(0, 4) : "";
  return make(
    "a",
    { class: "file", href: `/sim/files/${id}`, download: name, "aria-label": `${words.save}: ${name}` },
    make("span", { class: "kind", "aria-hidden": "true" }, suffix ? suffix.toUpperCase() : icon("file")),
    make("span", { class: "name" }, make("b", {}, name), make("small", {}, size(bytes))),
    make("span", { class: "save", "aria-hidden": "true" }, icon("save")),
  );
}

// What a message is that the sandbox only pretends to carry.
function pretended(message, words) {
  const kind = Object.keys(words.other).find((name) => name in message);
  return kind ? `[${words.other[kind]}]` : "";
}

export const summary = (message, words) =>
  message.text || message.caption || message.document?.file_name || pretended(message, words) || words.picture;

function quoted(reply, words) {
  const text = summary(reply, words);
  const who = reply.from.is_bot ? reply.from.first_name : words.you;
  return make("div", { class: "quote" }, make("b", {}, who), make("span", {}, text));
}

function keys(message, act) {
  const rows = message.reply_markup?.inline_keyboard ?? [];
  if (!rows.length) return null;
  return make(
    "div",
    { class: "keys" },
    ...rows.map((row) => make("div", {}, ...row.map((button) => key(message, button, act)))),
  );
}

function key(message, button, act) {
  const element = make("button", { type: "button" }, button.text);
  if (button.url) element.dataset.url = "";
  element.addEventListener("click", () =>
    button.url ? act.link(button.url) || window.open(button.url, "_blank", "noopener") : act.tap(message, button, element),
  );
  return element;
}

function meta(message, language, words, mine) {
  const parts = [message.edit_date ? `${words.edited} ` : "", clock(message.date, language)];
  return make("span", { class: "meta" }, ...parts, mine ? icon("check") : null);
}

const other = (message, words) => {
  const text = pretended(message, words);
  return text ? make("p", { class: "words" }, text) : null;
};

export function bubble(message, language, words, act) {
  const mine = !message.from.is_bot;
  const text = message.text ?? message.caption ?? "";
  const entities = message.entities ?? message.caption_entities ?? [];
  const shown = text ? make("p", { class: "words", dir: "auto" }, ...nodes(text, entities, act)) : null;
  const origin = message.forward_origin?.sender_user?.first_name;
  const body = make(
    "div",
    { class: "bubble" },
    origin ? make("small", { class: "origin" }, `${words.forwarded} ${origin}`) : null,
    message.reply_to_message ? quoted(message.reply_to_message, words) : null,
    message.photo ? picture(message, words, act) : null,
    message.document ? file(message, words) : null,
    make("div", { class: "said" }, shown ?? other(message, words), meta(message, language, words, mine)),
  );
  const reply = make("button", { class: "icon reply", type: "button" }, icon("reply"));
  label(reply, words.reply);
  reply.addEventListener("click", () => act.reply(message));
  body.append(reply);
  const item = make("li", { class: mine ? "mine" : "theirs" }, body, keys(message, act));
  item.dataset.id = message.message_id;
  if (message.photo) item.classList.add("has-picture");
  if (message.photo && !text) item.classList.add("bare");
  if (message.media_group_id) item.dataset.album = message.media_group_id;
  return item;
}
