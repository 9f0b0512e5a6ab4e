// A chosen FHIR file is read into the text field: files are not taken in a form, its text is.

const LARGEST = 1000000;
const choose = document.getElementById("choose");
const file = document.getElementById("bundle-file");
const said = document.getElementById("bundle-said");
choose.hidden = false;
file.addEventListener("change", async () => {
  said.textContent = "";
  if (!file.files.length) return;
  const bundle = document.querySelector("[name=bundle]");
  bundle.value = "";
  if (file.files[0].size > LARGEST)
    said.textContent = "This file is larger than 1 MB: upload it as a record.";
  else
    try {
      bundle.value = new TextDecoder("utf-8", { fatal: true }).decode(await file.files[0].arrayBuffer());
    } catch {
      said.textContent = "This file is not UTF-8 text, as FHIR's are: upload it as a record.";
    }
});
