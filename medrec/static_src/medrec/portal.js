// Small behaviour of every page. Each form still works without it, and a second click has one effect on the server anyhow.

document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  // After the browser has collected the form, so that the pressed button's own value is sent.
  setTimeout(() => {
    for (const button of event.target.querySelectorAll("button:not([type=button])")) button.disabled = true;
    event.target.setAttribute("aria-busy", "true");
  });
});

// A page that comes back from the browser's back-forward cache has its buttons again.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[aria-busy]")) {
    form.removeAttribute("aria-busy");
    for (const button of form.querySelectorAll("button:disabled")) button.disabled = false;
  }
});

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(copy.dataset.copy);
    const said = copy.querySelector("[data-said]");
    if (said) said.textContent = "Copied";
  }
  if (event.target.closest("[data-print]")) window.print();
});

// Fields that make sense for one answer only: data-shown-when="name=value".
const showDependents = () => {
  for (const part of document.querySelectorAll("[data-shown-when]")) {
    const [name, value] = part.dataset.shownWhen.split("=");
    const chosen = part.closest("form").querySelector(`[name="${name}"]:checked, select[name="${name}"]`);
    part.hidden = !chosen || chosen.value !== value;
  }
};
document.addEventListener("change", showDependents);
document.addEventListener("htmx:load", showDependents);
showDependents();
