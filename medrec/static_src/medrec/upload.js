// The upload page: the description goes first, as a form; then the file, as the raw body of a PUT.

const form = document.getElementById("upload");
const file = document.getElementById("file");
const fileError = document.getElementById("file-error");
const fields = document.getElementById("fields");
const said = document.getElementById("said");
const send = document.getElementById("send");
const cancel = document.getElementById("cancel");
const sending = document.getElementById("sending");
const bar = sending.querySelector(".progress");
let running = null; // the XMLHttpRequest under way
let bytesAt = ""; // where the described upload's bytes go; kept for another try with the same description
let described = "";

const say = (text, failed) => {
  said.textContent = text;
  said.className = failed ? "mb-2 field-error" : "mb-2 meta";
};

const show = (busy) => {
  send.disabled = file.disabled = busy;
  form.toggleAttribute("aria-busy", busy);
  sending.hidden = cancel.hidden = !busy;
};

const progress = (part) => {
  const percent = Math.floor(part * 100);
  bar.setAttribute("aria-valuenow", percent);
  bar.firstElementChild.style.width = `${percent}%`;
  say(percent < 100 ? `Sending: ${percent} %` : "Sent. Finishing the encryption …");
};

const checkFile = () => {
  const chosen = file.files[0];
  fileError.textContent = !chosen
    ? "Choose a file."
    : chosen.size === 0
      ? "This file is empty."
      : chosen.size > Number(form.dataset.max)
        ? "This file is larger than the limit."
        : "";
  return fileError.textContent === "";
};

const fill = () => {
  const chosen = file.files[0];
  form.elements.file_name.value = chosen.name;
  form.elements.media_type.value = chosen.type || "application/octet-stream";
  form.elements.size.value = chosen.size;
};

// Resolves to true when the description was taken. A refused one comes back as fields with their errors.
const describe = async () => {
  fill();
  const body = new URLSearchParams(new FormData(form));
  if (bytesAt && described === body.toString()) return true;
  const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
  if (answer.redirected) {
    window.location = answer.url; // the vault has closed, or the sign-in has ended
    return false;
  }
  if (answer.status === 201) {
    bytesAt = (await answer.json()).bytes;
    described = body.toString();
    for (const error of fields.querySelectorAll(".field-error, .alert")) error.remove();
    for (const input of fields.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    return true;
  }
  const text = await answer.text();
  if (text.includes("<html")) {
    const page = new DOMParser().parseFromString(text, "text/html");
    say(page.querySelector("[role=alert]")?.textContent ?? "The portal refused this. Load the page again.", true);
    return false;
  }
  fields.innerHTML = text;
  say("Something has to be corrected.", true);
  form.querySelector("[aria-invalid=true]")?.focus();
  return false;
};

const sendBytes = () =>
  new Promise((done) => {
    const request = (running = new XMLHttpRequest());
    request.open("PUT", bytesAt);
    request.setRequestHeader("X-CSRFToken", form.elements.csrfmiddlewaretoken.value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => done(request);
    request.onerror = request.onabort = () => done(null);
    request.send(file.files[0]);
  });

const finish = (request) => {
  if (request === null) return say("Not sent. Nothing was saved; you can try again.", true);
  let answer = {};
  try {
    answer = JSON.parse(request.responseText);
  } catch {
    answer = { error: request.status === 403 ? request.responseText : "The portal did not take the file. Try again." };
  }
  // A closed vault or a revoked permission: another try describes anew, and so comes to the page that helps.
  if (request.status === 403) bytesAt = "";
  if (request.status !== 201) return say(answer.error, true);
  say("Saved.");
  window.location = answer.next;
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (send.disabled || !checkFile()) return;
  send.disabled = true;
  try {
    if (await describe()) {
      show(true);
      progress(0);
      finish(await sendBytes());
    }
  } catch {
    say("The portal cannot be reached. Nothing was saved; you can try again.", true);
  } finally {
    running = null;
    show(false);
  }
});

cancel.addEventListener("click", () => running?.abort());

file.addEventListener("change", () => {
  if (!checkFile()) return;
  const title = form.elements.title;
  if (!title.value) title.value = file.files[0].name.replace(/\.[^.]+$/, "").replace(/[_-]+/g, " ");
});

const drop = document.getElementById("drop");
for (const kind of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) {
      file.files = event.dataTransfer.files;
      file.dispatchEvent(new Event("change"));
    }
  });
}

window.addEventListener("beforeunload", (event) => {
  if (running) event.preventDefault();
});
