// What opens over the chat: a picture, files to send, an alert, the QR code.

import { $, icon, label, make, size } from "./dom.js";

function clickOutside(dialog) {
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close(""));
}

export function viewPicture(url, caption, words) {
  const dialog = $("#viewer");
  const image = $("img", dialog);
  image.src = url;
  image.alt = caption || words.open;
  image.className = "";
  $("p", dialog).textContent = caption;
  const save = $("a", dialog);
  save.href = url;
  save.download = "picture.jpg";
  label(save, words.save);
  label($("button", dialog), words.close);
  dialog.showModal();
}

export function alertWith(text) {
  const dialog = $("#alert");
  $("p", dialog).textContent = text;
  $("button", dialog).textContent = "OK";
  dialog.showModal();
}

export function showQr(words) {
  const dialog = $("#qr-dialog");
  $("h2", dialog).textContent = words.qr;
  $("img", dialog).src = "/sim/qr";
  $("img", dialog).alt = words.qr;
  $("p", dialog).textContent = words.qrText;
  $("button", dialog).textContent = words.close;
  dialog.showModal();
}

function preview(file) {
  const isImage = file.type.startsWith("image/");
  const url = isImage ? URL.createObjectURL(file) : "";
  const shown = isImage ? make("img", { src: url, alt: "" }) : make("span", { class: "kind" }, icon("file"));
  if (isImage) shown.addEventListener("load", () => URL.revokeObjectURL(url));
  return make("li", {}, shown, make("span", { class: "name" }, make("b", {}, file.name), make("small", {}, size(file.size))));
}

export const areImages = (files) => files.every((file) => file.type.startsWith("image/"));

// Resolves to {as, caption}, or to null when the person thinks better of it.
export function askHow(files, words) {
  const dialog = $("#sheet");
  const [photo, document] = dialog.querySelectorAll("[name=as]");
  $("h2", dialog).textContent = words.sheet;
  $("legend", dialog).textContent = words.how;
  $("#previews").replaceChildren(...files.map(preview));
  $("span", photo.parentElement).textContent = words.asPhoto;
  $("span", document.parentElement).textContent = words.asFile;
  photo.disabled = !areImages(files);
  (photo.disabled ? document : photo).checked = true;
  const caption = $("#caption");
  caption.value = "";
  caption.placeholder = words.caption;
  label(caption, words.caption);
  const [cancel, send] = dialog.querySelectorAll("menu button");
  cancel.textContent = words.cancel;
  send.textContent = words.send;
  dialog.returnValue = "";
  dialog.showModal();
  caption.focus();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue === "send" ? { as: photo.checked ? "photo" : "document", caption: caption.value } : null),
      { once: true },
    );
  });
}

export function prepare() {
  for (const dialog of document.querySelectorAll("dialog")) clickOutside(dialog);
  const image = $("#viewer img");
  image.addEventListener("click", (event) => {
    const [x, y] = [event.offsetX / image.clientWidth, event.offsetY / image.clientHeight];
    image.classList.toggle("large");
    const frame = image.parentElement;
    frame.scrollTo(x * frame.scrollWidth - frame.clientWidth / 2, y * frame.scrollHeight - frame.clientHeight / 2);
  });
  // Enter in the caption sends; it would press the first button, which cancels.
  $("#caption").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    $("#sheet").close("send");
  });
}
