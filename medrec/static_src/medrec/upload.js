// The upload page: files are chosen, dropped or photographed; each is described as a form, then sent (upload-send.js).
// Kind, date and folder are for all of them; a single file has its title in the form, several have theirs in the list.

const form = document.getElementById("upload");
const file = document.getElementById("file");
const camera = document.getElementById("camera");
const fileError = document.getElementById("file-error");
const fields = document.getElementById("fields");
const said = document.getElementById("said");
const send = document.getElementById("send");
const done = document.getElementById("done");
const list = document.getElementById("files");
const rows = [];
let busy = false;
let autoTitle = ""; // what the form's title was filled with from a file's name

const leave = (address) => {
  busy = false;
  window.location = address;
};

const say = (text, failed) => {
  said.textContent = text;
  said.className = failed ? "mb-2 field-error" : "mb-2 meta";
};

const show = () => {
  const several = rows.length > 1;
  send.disabled = file.disabled = camera.disabled = busy;
  form.toggleAttribute("aria-busy", busy);
  list.hidden = rows.length === 0;
  form.elements.title.closest("div").hidden = several;
  for (const row of rows) {
    row.find("[data-title]").hidden = !several || row.state === "saved";
    row.find("[data-do=remove]").hidden ||= busy;
  }
};

// "Scan 01.02" and "Letter of Dr. Meier" have no ending; the page takes 200 characters, each of them whole.
const titleOf = (name) =>
  [
    ...name
      .replace(/\.[a-z][a-z0-9]{0,4}$/i, "")
      .replace(/[_-]+/g, " ")
      .trim(),
  ]
    .slice(0, 200)
    .join("")
    .trim();

const problemOf = (chosen) =>
  chosen.size === 0
    ? "This file is empty."
    : chosen.size > Number(form.dataset.max)
      ? "This file is larger than the limit."
      : "";

const add = (chosen) => {
  const row = new FileRow(chosen);
  const title = row.find("[data-title] input");
  title.value = titleOf(chosen.name || "Photo");
  row.at = null; // where the described upload's bytes go; kept for another try with the same description
  row.described = "";
  row.onremove = () => {
    rows.splice(rows.indexOf(row), 1);
    row.element.remove();
    show();
  };
  row.state = "chosen";
  rows.push(row);
  list.append(row.element);
};

const choose = (files) => {
  const problems = Array.from(files, (chosen) => [chosen, problemOf(chosen)]).filter(
    ([, problem]) => problem,
  );
  fileError.textContent =
    files.length === 1
      ? (problems[0]?.[1] ?? "")
      : problems.map(([chosen, problem]) => `${chosen.name}: ${problem}`).join(" ");
  if (!file.multiple) for (const row of [...rows]) row.onremove();
  const title = form.elements.title;
  if (rows.length === 1 && title.value) rows[0].find("[data-title] input").value = title.value;
  for (const chosen of files) if (!problemOf(chosen)) add(chosen);
  if (rows.length === 1 && (!title.value || title.value === autoTitle)) {
    title.value = autoTitle = rows[0].find("[data-title] input").value;
  }
  done.hidden = true;
  say("");
  show();
};

const descriptionOf = (row) => {
  const body = new URLSearchParams(new FormData(form));
  if (rows.length > 1) body.set("title", row.find("[data-title] input").value);
  body.set("file_name", row.file.name || "photo.jpg");
  body.set("media_type", row.file.type || "application/octet-stream");
  body.set("size", row.file.size);
  return body.toString();
};

// What the portal said against a description: what concerns this file in its row, the rest beside the fields.
const showErrors = (row, text) => {
  const answer = new DOMParser().parseFromString(text, "text/html");
  if (text.includes("<html")) {
    throw new uploadErrors.Refused(
      answer.querySelector("[role=alert]")?.textContent ?? "The portal refused this. Load the page again.",
    );
  }
  const common = answer.querySelectorAll("[aria-invalid=true]:not([name=title])").length > 0;
  if (rows.length === 1 || common) {
    fields.innerHTML = text;
    show();
    say("Something has to be corrected.", true);
    form.querySelector("[aria-invalid=true]")?.focus();
    row.state = "chosen";
    return common || rows.length === 1;
  }
  const words = Array.from(answer.querySelectorAll(".field-error, .alert, .errorlist"), (error) =>
    error.textContent.trim(),
  );
  throw new uploadErrors.Refused([...new Set(words)].join(" "));
};

// Resolves to true when the description was taken; to false when the form has to be corrected first.
const describe = async (row) => {
  const body = descriptionOf(row);
  if (row.at && row.described === body) return true;
  const answer = await fetch(form.action, {
    method: "POST",
    body: new URLSearchParams(body),
    headers: { Accept: "application/json" },
  });
  if (answer.redirected) {
    leave(answer.url);
    return false;
  }
  // The vault has closed, the sign-in has ended, or another account acts now: the files stay chosen here.
  if (answer.status === 403 || answer.status === 409) {
    const why = await answer
      .clone()
      .json()
      .catch(() => null);
    if (why && ("open" in why || "switch" in why)) {
      offerWay(said, why.error, { open: why.open, account: why.switch });
      row.state = "chosen";
      return false;
    }
  }
  if (answer.status !== 201) return !showErrors(row, await answer.text());
  row.at = await answer.json();
  row.described = body;
  for (const error of fields.querySelectorAll(".field-error, .alert")) error.remove();
  for (const input of fields.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  return true;
};

// Sends one file; resolves to false when the others should wait too.
const sendOne = async (row) => {
  try {
    if (!(await describe(row))) return false;
    row.page = await row.send(row.at, row.at.part_bytes);
    row.state = "saved";
    row.say("Saved.");
    row.find("[data-do=open]").href = row.page;
    return true;
  } catch (error) {
    const cancelled = error instanceof uploadErrors.Cancelled;
    if (error instanceof uploadErrors.Switched) {
      row.state = "chosen";
      offerWay(said, error.message, error);
      return false;
    }
    // A closed vault or a revoked permission: another try describes anew, and so comes to the page that helps.
    if (error instanceof uploadErrors.Closed) row.at = null;
    row.state = "failed";
    const known = cancelled || Object.values(uploadErrors).some((kind) => error instanceof kind);
    row.why = cancelled
      ? "Cancelled. Nothing was saved."
      : known
        ? error.message
        : "The portal cannot be reached. Nothing was saved; you can try again.";
    if (cancelled && row.inParts) discard(row);
    row.say(row.why, !cancelled);
    return !(error instanceof uploadErrors.Closed);
  }
};

const discard = (row) => {
  fetch(row.at.discard, { method: "POST", headers: formHeaders() }).catch(() => {});
  row.at = null;
};

const sendAll = async () => {
  for (const row of [...rows]) if (row.state !== "saved" && !(await sendOne(row))) return;
  const saved = rows.filter((row) => row.state === "saved");
  const failed = rows.filter((row) => row.state === "failed");
  if (rows.length === 1 && saved.length) {
    leave(saved[0].page);
    return;
  }
  if (rows.length > 1) {
    say(
      failed.length
        ? `${saved.length} saved, ${failed.length} not: each says why.`
        : `All ${saved.length} are saved.`,
      failed.length > 0,
    );
    done.hidden = saved.length === 0;
  }
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (busy) return;
  if (rows.every((row) => row.state === "saved")) fileError.textContent ||= "Choose a file.";
  if (fileError.textContent && rows.length === 0) return;
  fileError.textContent = "";
  busy = true;
  say("");
  show();
  try {
    await sendAll();
  } finally {
    busy = false;
    show();
  }
});

for (const input of [file, camera]) {
  input.addEventListener("click", () => (input.value = "")); // so that the same file may be chosen again
  input.addEventListener("change", () => input.files.length && choose(input.files));
}

const drop = document.getElementById("drop");
for (const kind of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop" && !busy && event.dataTransfer.files.length) {
      choose(file.multiple ? event.dataTransfer.files : [event.dataTransfer.files[0]]);
    }
  });
}

window.addEventListener("beforeunload", (event) => {
  if (busy) event.preventDefault();
});
