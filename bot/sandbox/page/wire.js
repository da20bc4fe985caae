// The way to the sandbox.

async function ask(path, options) {
  const answer = await fetch(path, options);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.description);
  return body;
}

export const get = (path) => ask(path);

export const post = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

export function upload(user, files, as, caption, reply_to) {
  const form = new FormData();
  form.append("as", as);
  form.append("caption", caption);
  form.append("reply_to", reply_to);
  for (const file of files) form.append("files", file, file.name || "picture.png");
  return ask(`/sim/users/${user}/files`, { method: "POST", body: form });
}

export function listen(chats, onEvent, onOpen) {
  const stream = new EventSource(`/sim/stream?chats=${chats.join(",")}`);
  stream.onmessage = (message) => onEvent(JSON.parse(message.data));
  stream.onerror = () => onOpen(false);
}
