// Small behaviour of every page. Each form still works without it.

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
