// A chosen FHIR file is read into the text field: files are not taken in a form, its text is.

const LARGEST = 1000000;
const choose = document.getElementById("choose");
const file = document.getElementById("bundle-file");
const said = document.getElementById("bundle-said");
choose.hidden = false;
file.addEventListener("change", async () => {
  said.textContent = "";
  if (!file.files.length) return;
  if (file.files[0].size > LARGEST) said.textContent = "This file is larger than 1 MB: upload it as a record.";
  else document.querySelector("[name=bundle]").value = await file.files[0].text();
});
