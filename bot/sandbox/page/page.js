// The page: people to play, their chats with the bot, and what happens in them.

import { summary } from "./bubbles.js";
import { Composer } from "./composer.js";
import { alertWith, prepare, showQr, viewPicture } from "./dialogs.js";
import { $, label, make } from "./dom.js";
import { Log } from "./log.js";
import { get, listen, post, upload } from "./wire.js";
import { wordsFor } from "./words.js";

const BUSY_MS = 5000;
const TOAST_MS = 3500;
const ANSWER_MS = 15000;

const people = new Map();
const waiting = new Map();
const token = new URLSearchParams(location.search).get("start") ?? "";
let bot = null;
let current = null;
let words = wordsFor(navigator.language);
let startToken = token;

const act = { say, link: followLink, tap, reply: (message) => composer.reply(message), view: (url, caption) => viewPicture(url, caption, words) };
const log = new Log(act);
const composer = new Composer({ text: say, files: sendFiles, menu: () => refreshMenu(current) });

// --- what the person does

async function attempt(work) {
  try {
    return await work;
  } catch (error) {
    toast(`${words.failed}: ${error.message}`);
    return null;
  }
}

function say(text, reply_to = 0) {
  return attempt(post(`/sim/users/${current.persona.id}/messages`, { text, reply_to }));
}

function sendFiles(files, as, caption, reply_to) {
  return attempt(upload(current.persona.id, files, as, caption, reply_to));
}

async function tap(message, button, element) {
  if (element.classList.contains("waiting")) return;
  if (!button.callback_data) {
    if (button.copy_text) await navigator.clipboard.writeText(button.copy_text.text);
    return;
  }
  element.classList.add("waiting");
  setTimeout(() => element.classList.remove("waiting"), ANSWER_MS);
  const body = { message_id: message.message_id, data: button.callback_data };
  const tapped = await attempt(post(`/sim/users/${current.persona.id}/taps`, body));
  if (tapped) waiting.set(tapped.query_id, element);
  else element.classList.remove("waiting");
}

// A deep link of this bot opens here, in the chat of whoever is played.
function followLink(url) {
  const link = /^(?:https?:\/\/(?:t|telegram)\.me\/|tg:\/\/resolve\?domain=)(\w+)(?:[?&]start=([\w-]+))?$/i.exec(url);
  if (link?.[1].toLowerCase() !== bot.username.toLowerCase()) return false;
  startToken = link[2] ?? "";
  start();
  return true;
}

async function start() {
  if (current.blocked) await attempt(post(`/sim/users/${current.persona.id}/block`, { blocked: false }));
  await say(`/start ${startToken}`.trim());
  if (matchMedia("(hover: hover)").matches) $("#text").focus();
  startToken = "";
  history.replaceState(null, "", location.pathname + location.hash);
  await refreshMenu(current);
}

async function toggleBlock() {
  const blocked = !current.blocked;
  await attempt(post(`/sim/users/${current.persona.id}/block`, { blocked }));
  await refreshMenu(current);
}

// --- what happens

const on = {
  async hello() {
    await Promise.all([...people.values()].map(load));
    document.body.dataset.ready = "";
  },
  reset: () => location.reload(),
  message(person, event) {
    const known = person.messages.has(event.message.message_id);
    person.messages.set(event.message.message_id, event.message);
    if (event.message.from.is_bot) person.busy = null;
    if ("keyboard" in event) person.keyboard = event.keyboard;
    if (person === current) {
      if (known) log.replace(event.message);
      else log.add(event.message);
      showState();
      if (event.force_reply) composer.reply(event.message);
    } else if (!known && event.message.from.is_bot) person.unread += 1;
    showPeople();
  },
  edited(person, event) {
    person.messages.set(event.message.message_id, event.message);
    if (person === current) log.replace(event.message);
    showPeople();
  },
  deleted(person, event) {
    person.messages.delete(event.message_id);
    if (person === current) log.remove(event.message_id);
    if (composer.replied?.message_id === event.message_id) composer.reply(null);
    showPeople();
  },
  action(person, event) {
    clearTimeout(person.timer);
    person.busy = event.action;
    person.timer = setTimeout(() => ((person.busy = null), showBusy()), BUSY_MS);
    showBusy();
  },
  answer(person, event) {
    waiting.get(event.query_id)?.classList.remove("waiting");
    waiting.delete(event.query_id);
    if (person !== current || event.user_id !== person.persona.id) return;
    if (event.text) (event.alert ? alertWith : toast)(event.text);
    if (event.url) followLink(event.url);
  },
};

function happened(event) {
  if (document.body.classList.contains("offline")) $("#notice").textContent = words.notice;
  document.body.classList.remove("offline");
  const handler = on[event.event];
  const person = people.get(event.chat_id);
  if (person?.held) person.held.push(event);
  else if (handler && (person || event.event === "hello")) handler(person, event);
}

// What happens while a chat is fetched is held back, and told again on top of it.
async function load(person) {
  person.held = [];
  const told = await get(`/sim/chats/${person.persona.id}/messages`);
  person.messages = new Map(told.messages.map((message) => [message.message_id, message]));
  person.keyboard = told.keyboard;
  await refreshMenu(person);
  if (person === current) log.open(person, words);
  const held = person.held;
  person.held = null;
  held.forEach(happened);
  showPeople();
}

async function refreshMenu(person) {
  const menu = await get(`/sim/users/${person.persona.id}/menu`);
  Object.assign(person, menu);
  if (person === current) showState();
}

// --- what is shown

function play(person) {
  if (current) current.draft = $("#text").value;
  current = person;
  person.unread = 0;
  words = wordsFor(person.persona.language);
  document.documentElement.lang = person.persona.language;
  location.hash = person.persona.id;
  $("#notice").textContent = words.notice;
  $("#side-title").textContent = words.title;
  for (const [id, word] of [["qr-open", "qr"], ["theme", "theme"], ["block", "block"], ["latest", "latest"]])
    label($(`#${id}`), words[word]);
  $("#qr-card figcaption").textContent = words.qrText;
  log.open(person, words);
  showPeople();
  showState();
  composer.open(words, person.persona.language, person.draft ?? "");
  refreshMenu(person);
}

const initials = (name) => (/^[\x20-\x7e]+$/.test(name) ? name.replace(/^Dr\. /, "").split(" ").map((part) => part[0]).join("").slice(0, 2) : name.slice(-1));

function newest(person) {
  const last = [...person.messages.values()].at(-1);
  const theirs = wordsFor(person.persona.language);
  return last ? summary(last, theirs) : theirs.fresh;
}

function showPeople() {
  const nav = $("#personas");
  const focused = document.activeElement?.closest("#personas")?.id && document.activeElement.dataset.id;
  nav.replaceChildren(
    ...[...people.values()].map((person) => {
      const { id, name, role, language } = person.persona;
      const button = make(
        "button",
        { type: "button", class: `person ${role}`, "aria-current": person === current, "data-id": id },
        make("span", { class: "avatar", "aria-hidden": "true" }, initials(name)),
        make("span", { class: "name" }, make("b", {}, name), make("em", {}, wordsFor(language)[role])),
        make("small", {}, newest(person)),
        person.unread ? make("span", { class: "unread" }, String(person.unread)) : null,
      );
      button.addEventListener("click", () => play(person));
      return button;
    }),
  );
  if (focused) $(`[data-id="${focused}"]`, nav)?.focus();
}

function showState() {
  const fresh = !current.messages.size;
  const needsStart = fresh || current.blocked || startToken !== "";
  $("#bot-name").textContent = current.name || bot.first_name;
  document.title = `${current.name || bot.first_name} · Sandbox`;
  $("#intro").hidden = !fresh;
  $("#intro h3").textContent = words.intro;
  $("#intro p").textContent = current.description || words.introless;
  $("#start").hidden = !needsStart;
  $("#start").textContent = current.blocked ? words.unblock : words.start;
  $("#composer").hidden = needsStart;
  $("#block").setAttribute("aria-pressed", Boolean(current.blocked));
  label($("#block"), current.blocked ? words.unblock : words.block);
  composer.setMenu(current.commands ?? []);
  composer.setKeyboard(needsStart ? null : current.keyboard);
  showBusy();
}

function showBusy() {
  const { busy, blocked } = current;
  const status = $("#status");
  status.textContent = blocked ? words.blocked : busy ? `${words[busy] ?? words.typing}…` : words.online;
  status.classList.toggle("busy", Boolean(busy) && !blocked);
  $("#busy").hidden = !busy;
  if (busy && log.following) log.toEnd(true);
}

let toastTimer;
function toast(text) {
  const element = $("#toast");
  element.textContent = text;
  element.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (element.hidden = true), TOAST_MS);
}

function switchTheme() {
  const chosen = document.documentElement.dataset.theme;
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
}

async function prepareQr() {
  const answer = await fetch("/sim/qr");
  if (!answer.ok) return;
  $("#qr-card").hidden = $("#qr-open").hidden = false;
  $("#qr-small").src = "/sim/qr";
}

async function begin() {
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset.theme = theme;
  const state = await get("/sim/state");
  bot = state.bot;
  for (const persona of state.personas)
    people.set(persona.id, { persona, messages: new Map(), unread: 0, busy: null });
  prepare();
  $("#start").addEventListener("click", start);
  $("#block").addEventListener("click", toggleBlock);
  $("#theme").addEventListener("click", switchTheme);
  $("#qr-open").addEventListener("click", () => showQr(words));
  play(people.get(Number(location.hash.slice(1))) ?? people.values().next().value);
  prepareQr();
  listen([...people.keys()], happened, () => {
    document.body.classList.add("offline");
    $("#notice").textContent = words.offline;
  });
}

begin();
