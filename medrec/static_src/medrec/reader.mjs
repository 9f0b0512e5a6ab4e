// The reader of PDFs: pdf.js and its viewer, in a sandboxed frame. It has no cookies and no origin, and runs nothing that
// stands in a document: forms, scripts and links to elsewhere stay dead.

import * as pdfjs from "../vendor/pdfjs/build/pdf.min.mjs";

globalThis.pdfjsLib = pdfjs; // where the viewer looks for it
const { EventBus, PDFFindController, PDFLinkService, PDFViewer } = await import(
  "../vendor/pdfjs/web/pdf_viewer.mjs"
);

const assets = new URL("../vendor/pdfjs/", import.meta.url).href;
// A sandboxed frame may start no worker but one made here; that one imports pdf.js's, and says so when it is there.
const startWorker = async () => {
  const script = `import(${JSON.stringify(`${assets}build/pdf.worker.min.mjs`)});`;
  const worker = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  await new Promise((ready) => worker.addEventListener("message", ready, { once: true }));
  return worker;
};

const PART = 256 * 1024;
const CANVAS_PIXELS = 2 ** 24;
const by = (id) => document.getElementById(id);
const said = by("said");

const say = (words) => {
  said.textContent = words;
  said.hidden = !words;
};

// A part at a time comes from the page around this frame; what pdf.js asks for is cut to what that page gives.
class Parts extends pdfjs.PDFDataRangeTransport {
  constructor(size, port) {
    super(size, null);
    this.port = port;
    port.onmessage = ({ data }) =>
      data.failed ? say(data.failed) : this.onDataRange(data.begin, new Uint8Array(data.chunk));
  }

  requestDataRange(begin, end) {
    this.port.postMessage({ begin, end });
  }
}

const eventBus = new EventBus();
const linkService = new PDFLinkService({ eventBus });
linkService.externalLinkEnabled = false;
const findController = new PDFFindController({ eventBus, linkService });
const viewer = new PDFViewer({
  container: by("container"),
  viewer: by("viewer"),
  eventBus,
  linkService,
  findController,
  annotationMode: pdfjs.AnnotationMode.ENABLE,
  enableAutoLinking: false,
  maxCanvasPixels: CANVAS_PIXELS,
  imageResourcesPath: `${assets}web/images/`,
});
linkService.setViewer(viewer);

const askPassword = (unlock, reason) => {
  by("wrong").textContent =
    reason === pdfjs.PasswordResponses.INCORRECT_PASSWORD ? "That is not its password." : "";
  by("locked").hidden = false;
  say("");
  const send = () => {
    by("locked").hidden = true;
    say("Opening …");
    unlock(by("password").value);
    by("password").value = "";
  };
  by("unlock").onclick = send;
  by("password").onkeydown = (event) => event.key === "Enter" && send();
  by("password").focus();
};

const open = async (size, port) => {
  pdfjs.GlobalWorkerOptions.workerPort = await startWorker();
  const loading = pdfjs.getDocument({
    range: new Parts(size, port),
    rangeChunkSize: PART,
    disableAutoFetch: true,
    disableStream: true,
    enableXfa: false,
    cMapUrl: `${assets}cmaps/`,
    standardFontDataUrl: `${assets}standard_fonts/`,
    wasmUrl: `${assets}wasm/`,
    iccUrl: `${assets}iccs/`,
  });
  loading.onPassword = askPassword;
  try {
    const document = await loading.promise;
    viewer.setDocument(document);
    linkService.setDocument(document, null);
    say("");
  } catch {
    say("This document is damaged and cannot be shown. Save the file to open it with a program of yours.");
  }
};

const toPage = (number) => {
  if (number >= 1 && number <= viewer.pagesCount) viewer.currentPageNumber = number;
  by("page").value = viewer.currentPageNumber;
};
eventBus.on("pagesinit", () => {
  viewer.currentScaleValue = "page-width";
  by("pages").textContent = `of ${viewer.pagesCount}`;
});
eventBus.on("pagechanging", ({ pageNumber }) => (by("page").value = pageNumber));
by("previous").onclick = () => toPage(viewer.currentPageNumber - 1);
by("next").onclick = () => toPage(viewer.currentPageNumber + 1);
by("page").onchange = () => toPage(Number(by("page").value));
by("in").onclick = () => viewer.increaseScale();
by("out").onclick = () => viewer.decreaseScale();
by("fit").onclick = () => (viewer.currentScaleValue = "page-width");
window.addEventListener("resize", () => {
  if (viewer.currentScaleValue === "page-width") viewer.currentScaleValue = "page-width";
});

const find = (type, findPrevious = false) =>
  eventBus.dispatch("find", {
    type,
    query: by("find").value,
    caseSensitive: false,
    entireWord: false,
    highlightAll: true,
    findPrevious,
  });
by("find").oninput = () => find("");
by("find").onkeydown = (event) => event.key === "Enter" && find("again", event.shiftKey);
const count = ({ matchesCount }) => {
  by("found").textContent = by("find").value ? `${matchesCount.current} of ${matchesCount.total}` : "";
};
eventBus.on("updatefindmatchescount", count);
eventBus.on("updatefindcontrolstate", count);

window.addEventListener("message", (event) => {
  if (event.source !== window.parent || !event.ports.length) return;
  open(event.data.size, event.ports[0]);
});
window.parent.postMessage("ready", "*");
