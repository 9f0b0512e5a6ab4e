// Has done what waited for this person's keys, now that the page is there. At most fifty tasks a time, so it may ask again.

const PAUSE = 5500; // milliseconds; the portal begins no run within five seconds of the last
const ROUNDS = 20;

const requestRun = async (url) => {
  try {
    const headers = { ...formHeaders(), Accept: "application/json" };
    const answer = await fetch(url, { method: "POST", headers });
    if (answer.ok) return await answer.json();
  } catch {
    // The network is away, or the person has gone on to another page: that page asks again.
  }
  return { done: 0, due: 0 };
};

const runKeyTasks = async (form) => {
  const line = form.querySelector("[role=status]");
  line.textContent = form.dataset.running;
  let done = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    const counts = await requestRun(form.action);
    done += counts.done;
    if (counts.due === 0) break;
    await new Promise((resolve) => {
      setTimeout(resolve, PAUSE);
    });
  }
  line.textContent = form.dataset.finished;
  form.hidden ||= done === 0;
};

let isRunning = false;
let ended = -PAUSE;

const runInTurn = async (form) => {
  if (isRunning || performance.now() - ended < PAUSE) return;
  isRunning = true;
  await runKeyTasks(form);
  isRunning = false;
  ended = performance.now();
};

const keyTasks = document.querySelector("form[data-key-tasks]");
if (keyTasks) {
  if (Number(keyTasks.dataset.keyTasks) > 0) runInTurn(keyTasks);
  // A part of the page that asks again and again may wait for something that needs this person's keys.
  document.addEventListener("htmx:afterSettle", () => runInTurn(keyTasks));
}
