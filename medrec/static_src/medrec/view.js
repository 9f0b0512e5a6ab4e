// Pictures: size, frames, window. Each frame is a picture the server makes; nothing is kept here but what is shown.

const part = document.querySelector("[data-view]");
const picture = part.querySelector("[data-picture]");
const stage = part.querySelector(".view-stage");
const failed = part.querySelector("[data-failed]");
const zoomSaid = part.querySelector("[data-zoom-said]");
const STEP = 1.25;
const ZOOM_MIN = 0.05;
const ZOOM_MAX = 16;
let scale = null; // null: as large as fits

const natural = () => picture.naturalWidth || picture.width;

const resize = (next) => {
  scale = next === null ? null : Math.min(Math.max(next, ZOOM_MIN), ZOOM_MAX);
  picture.classList.toggle("view-free", scale !== null);
  picture.style.width = scale === null ? "" : `${Math.round(natural() * scale)}px`;
  zoomSaid.textContent = scale === null ? "" : `${Math.round(scale * 100)} %`;
};

const shownScale = () => picture.getBoundingClientRect().width / natural();

part.addEventListener("click", (event) => {
  const button = event.target.closest("[data-zoom]");
  if (!button) return;
  const next = {
    in: () => shownScale() * STEP,
    out: () => shownScale() / STEP,
    fit: () => null,
    whole: () => 1,
  };
  resize(next[button.dataset.zoom]());
});
stage.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "+" || event.key === "=") resize(shownScale() * STEP);
  else if (event.key === "-") resize(shownScale() / STEP);
  else if (event.key === "0") resize(null);
});

// What went wrong is asked for once more, in words: an <img> does not tell.
const explain = async (address) => {
  let words =
    "This picture is damaged, or of a kind that this browser does not show. Save the file to look at it.";
  try {
    const answer = await fetch(address);
    if (answer.redirected || answer.status === 403 || answer.status === 404) {
      words = "It can no longer be shown: your vault has closed, or access has ended. Load this page again.";
    } else if (!answer.ok && answer.headers.get("Content-Type")?.startsWith("text/plain"))
      words = await answer.text();
  } catch {
    words = "The portal cannot be reached. Try again.";
  }
  if (address !== wanted) return;
  failed.textContent = words;
  failed.hidden = false;
  picture.hidden = true;
};

let wanted = picture.src;
picture.addEventListener("load", () => {
  failed.hidden = true;
  picture.hidden = false;
});
picture.addEventListener("error", () => explain(wanted));
if (picture.complete && !picture.naturalWidth) explain(wanted);

// --- frames and window ---

const byId = (id) => part.querySelector(`#${id}`);
const [frame, centre, width, preset, overlay] = ["frame", "centre", "width", "preset", "overlay"].map(byId);
// A file with a window for each frame is shown in that one, until somebody chooses another for all.
let own = "varies" in part.dataset;
const tell = (input, words) => {
  if (input) part.querySelector(`output[for="${input.id}"]`).textContent = words;
};
const number = (input) => {
  if (own) return "as the file says for each frame";
  const size = Number(input.max) - Number(input.min);
  return Number(input.value).toFixed(size < 10 ? 3 : 0);
};

let busy = false;
let again = false;
// One picture at a time: while a slider moves, only its newest place is asked for.
const show = async () => {
  tell(frame, frame && `${frame.value}${frame.dataset.of}`);
  tell(centre, centre && number(centre));
  tell(width, width && number(width));
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  do {
    again = false;
    const address = new URL(
      part.dataset.frames.replace(/0\/$/, `${frame ? frame.value - 1 : 0}/`),
      location.href,
    );
    if (overlay && !overlay.checked) address.searchParams.set("overlay", "0");
    if (centre && !own) {
      address.searchParams.set("centre", centre.value);
      address.searchParams.set("width", width.value);
    }
    wanted = address.href;
    const next = new Image();
    next.src = wanted;
    try {
      await next.decode();
      picture.src = next.src;
      failed.hidden = true;
      picture.hidden = false;
    } catch {
      await explain(wanted);
    }
  } while (again);
  busy = false;
};

if (part.dataset.frames) {
  const first = centre && [centre.value, width.value];
  const choose = () => {
    own = false;
    show();
  };
  frame?.addEventListener("input", show);
  overlay?.addEventListener("input", show);
  for (const input of [centre, width]) input?.addEventListener("input", choose);
  preset?.addEventListener("change", () => {
    const chosen = preset.selectedOptions[0].dataset;
    centre.value = chosen.centre;
    width.value = chosen.width;
    choose();
  });
  part.querySelector("[data-reset]")?.addEventListener("click", () => {
    [centre.value, width.value] = first;
    if (preset) preset.selectedIndex = 0;
    own = "varies" in part.dataset;
    show();
  });
  tell(centre, centre && number(centre));
  tell(width, width && number(width));
}
