// The page around the reader of PDFs. The reader stands in a frame of an origin of its own and can fetch nothing of the
// portal's; it asks here for parts of this one file, and gets them.

const reader = document.getElementById("reader");
const { file, size } = reader.dataset;
const PART_MAX = 4 * 1024 * 1024;

const fetchPart = async (begin, end) => {
  let answer;
  try {
    answer = await fetch(file, { headers: { Range: `bytes=${begin}-${end - 1}` } });
  } catch {
    throw new Error("The portal cannot be reached. Load this page again.");
  }
  if (answer.status === 503) throw new Error("The file store cannot be reached. Load this page again.");
  if (answer.redirected || answer.status !== 206) {
    throw new Error(
      "It can no longer be shown: your vault has closed, or access has ended. Load this page again.",
    );
  }
  return answer.arrayBuffer();
};

const serve = (port) => {
  port.onmessage = async ({ data }) => {
    const { begin, end } = data;
    if (!Number.isInteger(begin) || !Number.isInteger(end)) return;
    if (begin < 0 || end <= begin || end > Number(size) || end - begin > PART_MAX) return;
    try {
      const chunk = await fetchPart(begin, end);
      port.postMessage({ begin, chunk }, [chunk]);
    } catch (error) {
      port.postMessage({ failed: error.message });
    }
  };
};

window.addEventListener("message", (event) => {
  if (event.source !== reader.contentWindow || event.data !== "ready") return;
  const { port1, port2 } = new MessageChannel();
  serve(port1);
  event.source.postMessage({ size: Number(size) }, "*", [port2]);
});
reader.src = reader.dataset.reader;
