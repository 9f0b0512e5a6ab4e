// A form is sent once, however often somebody presses. Without this a second press has one effect on the server anyhow,
// but its answer, perhaps "that name is taken", is the one that is seen.

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.hasAttribute("aria-busy")) event.preventDefault();
  if (event.defaultPrevented) return;
  form.setAttribute("aria-busy", "true");
  // After the browser has collected the form, so that the pressed button's own value is sent.
  setTimeout(() =>
    buttonsOf(form, ":enabled").forEach((button) => {
      button.disabled = true;
    }),
  );
});

// A page that comes back from the browser's back-forward cache has its buttons again.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[aria-busy]")) {
    form.removeAttribute("aria-busy");
    buttonsOf(form, ":disabled").forEach((button) => {
      button.disabled = false;
    });
  }
});

function buttonsOf(form, state) {
  return form.querySelectorAll(`button:not([type=button])${state}, input[type=submit]${state}`);
}
