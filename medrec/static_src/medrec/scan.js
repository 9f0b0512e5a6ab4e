// Reads an address from a QR code with the camera, where the browser has a detector of its own; else stays hidden.

const LOOK_EVERY = 250; // milliseconds

const scan = async (part, field) => {
  const video = part.querySelector("video");
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  const stop = () => {
    for (const track of stream.getTracks()) track.stop();
  };
  video.srcObject = stream;
  video.hidden = false;
  await video.play();
  const look = async () => {
    if (!video.isConnected) return stop();
    const [code] = await detector.detect(video);
    if (!code) return setTimeout(look, LOOK_EVERY);
    stop();
    video.hidden = true;
    field.value = code.rawValue;
    field.focus();
  };
  look();
};

for (const part of document.querySelectorAll("[data-scan]")) {
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices) break;
  part.hidden = false;
  part.querySelector("button").addEventListener("click", async () => {
    try {
      await scan(part, document.getElementById(part.dataset.scan));
    } catch {
      part.querySelector("[role=alert]").textContent =
        "The camera cannot be used here. Paste the address instead.";
    }
  });
}
