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

// What every script sends along: the security token, and for whom its page is.
window.formHeaders = () => ({
  "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value,
  "X-Page-Binding": document.querySelector("[name=page_binding]")?.value ?? "",
});

// Says why nothing was saved, and the way out: back to the page's own account, or to the page that opens the vault.
window.offerWay = (place, words, { open, account }) => {
  place.className = "mb-2 field-error";
  place.setAttribute("role", "alert");
  place.replaceChildren(`${words} Nothing was saved yet; what you entered is still here. `);
  if (open) {
    const link = Object.assign(document.createElement("a"), {
      href: open,
      target: "_blank",
      rel: "noopener",
    });
    link.textContent = "Open it in another tab";
    place.append(link, ", then send this again.");
  }
  if (account) {
    const button = Object.assign(document.createElement("button"), {
      type: "button",
      className: "btn btn-sm btn-primary",
    });
    button.textContent = "Switch back";
    button.addEventListener("click", () => switchBack(place, account));
    place.append(button);
  }
};

const switchBack = async (place, account) => {
  const answer = await fetch("/switch/", {
    method: "POST",
    headers: formHeaders(),
    body: new URLSearchParams({ account }),
  }).catch(() => null);
  place.className = answer?.ok ? "mb-2 meta" : "mb-2 field-error";
  place.textContent = answer?.ok
    ? "You have switched back. Send it again."
    : "That did not work. Load the page again.";
};

// htmx shows no refusals by itself: the fields stay, and the words stand above the page.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.xhr.status !== 403 && detail.xhr.status !== 409) return;
  let why;
  try {
    why = JSON.parse(detail.xhr.responseText);
  } catch {
    return;
  }
  let place = document.getElementById("page-refusal");
  if (!place) {
    place = Object.assign(document.createElement("div"), { id: "page-refusal" });
    document.getElementById("content").prepend(place);
  }
  offerWay(place, why.error, { open: why.open, account: why.switch });
  place.scrollIntoView({ block: "center" });
});

// A form that waited for the vault is sent as soon as it is open.
document.querySelector("form[data-send-now]")?.requestSubmit();

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
