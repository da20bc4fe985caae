// A text with the Bot API's entities, as nodes. Offsets are UTF-16 units, as JavaScript's are.

import { make } from "./dom.js";

const TAGS = {
  bold: "strong",
  italic: "em",
  underline: "u",
  strikethrough: "s",
  code: "code",
  pre: "pre",
  blockquote: "blockquote",
  expandable_blockquote: "blockquote",
};

const isWeb = (url) => /^(https?|tg|mailto|tel):/i.test(url);

function wrap(entity, text, children, act) {
  if (entity.type === "text_link" || entity.type === "url") {
    const url = entity.url || text;
    if (!isWeb(url)) return make("span", {}, ...children);
    const link = make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, ...children);
    link.addEventListener("click", (event) => act.link(url) && event.preventDefault());
    return link;
  }
  if (entity.type === "bot_command") {
    const button = make("button", { class: "command", type: "button" }, ...children);
    button.addEventListener("click", () => act.say(text));
    return button;
  }
  if (entity.type === "spoiler") {
    const hidden = make("button", { class: "spoiler", type: "button" }, ...children);
    hidden.addEventListener("click", () => hidden.classList.toggle("shown"));
    return hidden;
  }
  return make(TAGS[entity.type] || "span", {}, ...children);
}

export function nodes(text, entities, act, from = 0, to = text.length) {
  const result = [];
  let position = from;
  const inside = entities.filter((entity) => entity.offset >= from && entity.offset + entity.length <= to);
  while (inside.length) {
    const entity = inside.shift();
    if (entity.offset < position) continue;
    const end = entity.offset + entity.length;
    const nested = inside.filter((other) => other.offset + other.length <= end);
    result.push(text.slice(position, entity.offset));
    const children = nodes(text, nested, act, entity.offset, end);
    result.push(wrap(entity, text.slice(entity.offset, end), children, act));
    position = end;
  }
  result.push(text.slice(position, to));
  return result.filter((node) => node !== "");
}
