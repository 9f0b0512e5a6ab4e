// The page to go on with an unfinished upload: the same file is chosen, the rest of it is sent.

const form = document.getElementById("go-on");
const input = document.getElementById("file");
const list = document.getElementById("files");
const wrong = document.getElementById("file-error");
const at = JSON.parse(form.dataset.at);

const goOn = async (file) => {
  const row = new FileRow(file);
  list.replaceChildren(row.element);
  list.hidden = false;
  input.disabled = true;
  try {
    window.location = await row.send(at, 0);
  } catch (error) {
    row.state = error instanceof uploadErrors.Cancelled ? "cancelled" : "failed";
    row.say(
      error instanceof uploadErrors.Cancelled ? "Stopped. What was sent is kept." : error.message,
      row.state === "failed",
    );
    input.disabled = false;
  }
};

input.addEventListener("change", () => {
  const [file] = input.files;
  if (!file) return;
  input.value = ""; // so that the same file, mended, may be chosen again
  wrong.textContent =
    file.size === Number(form.dataset.size)
      ? ""
      : `This is another file: “${form.dataset.name}” has ${Number(form.dataset.size).toLocaleString("en")} bytes.`;
  if (!wrong.textContent) goOn(file);
});

form.addEventListener("submit", (event) => event.preventDefault());
