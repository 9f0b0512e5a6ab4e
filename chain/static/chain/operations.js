// The page asks for its newest figures every few seconds. When the answer is not theirs, it says so.
"use strict";

const stale = (is) => {
  document.getElementById("op-stale").hidden = !is;
};

document.addEventListener("htmx:beforeSwap", (event) => {
  const asked = new URL(event.detail.pathInfo.requestPath, location.href).pathname;
  const answered = new URL(event.detail.xhr.responseURL || location.href).pathname;
  if (asked !== answered) {
    // signed out: the sign-in page came instead
    event.detail.shouldSwap = false;
    location.reload();
  }
});
document.addEventListener("htmx:afterSwap", () => stale(false));
document.addEventListener("htmx:responseError", () => stale(true));
document.addEventListener("htmx:sendError", () => stale(true));
document.addEventListener("htmx:timeout", () => stale(true));
