// Sending one file, whole or in parts, until it is saved, refused or cancelled: whatever the line does meanwhile.
// The page gives a row (templates/records/upload_row.html) that shows how far it is.

const RETRY_FIRST = 1000; // milliseconds; doubled with each failure in a row
const RETRY_LAST = 30000;

class Refused extends Error {} // the portal's words: another try changes nothing
class Closed extends Error {} // the vault has closed, or the sign-in has ended
class Switched extends Error {} // another account acts in this browser now; `account` is the page's
class Cancelled extends Error {}
class Busy extends Error {} // another request is at work on this upload
class Broken extends Error {} // nothing came back, or "try again"

const sizeWords = (bytes) => {
  const units = ["bytes", "KB", "MB", "GB"];
  let at = 0;
  for (; bytes >= 1024 && at < 3; at++) bytes /= 1024;
  return `${at ? bytes.toFixed(1) : bytes} ${units[at]}`;
};

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

const unreadable = () =>
  new Refused("The file cannot be read any more. It was changed, moved or taken out: choose it again.");

class FileRow {
  constructor(file) {
    this.file = file;
    this.element = document.getElementById("upload-row").content.firstElementChild.cloneNode(true);
    this.find("[data-name]").textContent = file.name || "Photo";
    this.find("[data-size]").textContent = sizeWords(file.size);
    this.find("[data-said]").textContent = "";
    for (const button of this.element.querySelectorAll("button[data-do]")) {
      button.addEventListener("click", () => this.pressed(button.dataset.do));
    }
    this.paused = false;
    this.running = null; // the XMLHttpRequest under way
    this.wake = null; // ends the wait before the next try
  }

  find(what) {
    return this.element.querySelector(what);
  }

  // chosen, sending, paused, saved, failed or cancelled
  set state(state) {
    this.element.dataset.state = state;
    const shown = {
      sending: this.inParts ? ["pause", "cancel"] : ["cancel"],
      paused: ["resume", "cancel"],
      chosen: ["remove"],
      failed: ["remove"],
      saved: ["open"],
    };
    for (const button of this.element.querySelectorAll("[data-do]")) {
      button.hidden = !(shown[state] ?? []).includes(button.dataset.do);
    }
    this.find(".progress").hidden = !["sending", "paused"].includes(state);
    const icons = { saved: "check-lg", failed: "exclamation-triangle", cancelled: "x-lg" };
    this.find(".tile").className = `tile${state === "failed" ? " tile-bad" : ""}`;
    this.find(".tile i").className = `bi bi-${icons[state] ?? "file-earmark"}`;
  }

  get state() {
    return this.element.dataset.state;
  }

  say(text, failed = false) {
    const said = this.find("[data-said]");
    said.textContent = text;
    said.className = failed ? "mt-1 field-error" : "mt-1 meta";
  }

  sayClosed(address) {
    this.say("Your vault has closed, or you were signed out. What was sent is kept. ", true);
    const link = Object.assign(document.createElement("a"), {
      href: address,
      target: "_blank",
      rel: "noopener",
    });
    link.textContent = "Open it in another tab";
    this.find("[data-said]").append(link, ", then go on here.");
  }

  progress(sent) {
    const percent = Math.floor((sent / this.file.size) * 100);
    const bar = this.find(".progress");
    bar.setAttribute("aria-valuenow", percent);
    bar.firstElementChild.style.width = `${percent}%`;
    this.say(percent < 100 ? `Sending: ${percent} %` : "Sent. Finishing the encryption …");
  }

  pressed(what) {
    if (what === "pause") this.pause();
    if (what === "resume") this.resume();
    if (what === "cancel") this.cancel();
    if (what === "remove") this.onremove?.();
  }

  pause(words = "Paused. What was sent is kept.") {
    this.paused = true;
    this.state = "paused";
    this.running?.abort();
    this.say(words);
  }

  resume() {
    this.paused = false;
    this.state = "sending";
    this.wake?.();
  }

  cancel() {
    this.stopped = true;
    this.running?.abort();
    this.wake?.();
  }

  // Waits that long, or until somebody wakes it: the person, or the line when it is back.
  rest(milliseconds) {
    return new Promise((done) => {
      const woken = () => {
        clearTimeout(timer);
        window.removeEventListener("online", woken);
        this.wake = null;
        done();
      };
      const timer = milliseconds === Infinity ? 0 : setTimeout(woken, milliseconds);
      window.addEventListener("online", woken);
      this.wake = woken;
    });
  }

  async whenAllowed() {
    while (this.paused && !this.stopped) await this.rest(Infinity);
    if (this.stopped) throw new Cancelled();
  }

  // One request; resolves to its JSON, or throws one of the six.
  ask(method, address, body, sentBefore = null) {
    return new Promise((done, fail) => {
      const request = new XMLHttpRequest();
      this.running = request;
      request.open(method, address);
      for (const [name, value] of Object.entries(formHeaders())) request.setRequestHeader(name, value);
      if (body !== undefined) {
        request.setRequestHeader("Content-Type", "application/octet-stream");
        if (sentBefore !== null) {
          request.upload.onprogress = (event) => this.paused || this.progress(sentBefore + event.loaded);
        }
      }
      request.onload = () => {
        this.running = null;
        try {
          done(this.understood(request, address));
        } catch (error) {
          fail(error);
        }
      };
      request.onerror = request.onabort = () => {
        this.running = null;
        fail(new Broken());
      };
      request.send(body);
    });
  }

  understood(request, address) {
    let answer = null;
    try {
      answer = JSON.parse(request.responseText);
    } catch {
      answer = null;
    }
    if (request.status === 403 || new URL(request.responseURL, window.location).pathname !== address) {
      throw new Closed(request.status === 403 ? (answer?.error ?? request.responseText) : "");
    }
    const wait = 1000 * (Number(request.getResponseHeader("Retry-After")) || 0);
    // 408: the line was too slow for a moment, and the server has let go.
    const passing = request.status >= 500 || request.status === 429 || request.status === 408;
    if (!answer) {
      throw passing
        ? Object.assign(new Broken(), { wait })
        : new Refused("The portal did not take the file. Try again.");
    }
    if (request.status < 300) return answer;
    if (request.status === 409 && answer.switch !== undefined) {
      throw Object.assign(new Switched(answer.error), { account: answer.switch });
    }
    if (request.status === 409)
      throw Object.assign(new Busy(answer.error), { startsOver: answer.starts_over === true });
    if (passing) throw Object.assign(new Broken(answer.error), { wait });
    throw new Refused(answer.error ?? "The portal did not take the file. Try again.");
  }

  // Sends the file to an upload's addresses; resolves to the record's page.
  async send(at, partBytes) {
    this.stopped = this.paused = false;
    this.inParts = this.file.size > partBytes && Boolean(window.crypto?.subtle);
    this.state = "sending";
    this.progress(0);
    return this.inParts ? this.sendParts(at) : this.sendWhole(at);
  }

  async sendWhole(at) {
    try {
      return (await this.ask("PUT", at.bytes, this.file, 0)).next;
    } catch (error) {
      if (this.stopped) throw new Cancelled();
      if (error instanceof Broken && !error.message)
        error.message = "Not sent. Nothing was saved; you can try again.";
      throw error;
    }
  }

  async sendParts(at) {
    const digests = [hex(new Uint8Array(32))]; // of the first 0, 1, 2 ... parts
    let status = null;
    let failures = 0;
    let stuck = "";
    for (;;) {
      await this.whenAllowed();
      try {
        status ??= await this.ask("GET", at.status);
        if (status.state === "done") return status.next;
        await this.digestUpTo(digests, status);
        if (digests[status.next_part] !== status.digest) {
          throw new Refused(
            "The file has changed since the upload began. Discard the upload and start again.",
          );
        }
        const sent = Math.min(status.next_part * status.part_bytes, this.file.size);
        this.progress(sent);
        if (status.next_part < status.parts) {
          status = await this.ask(
            "PUT",
            `${at.parts}${status.next_part}/`,
            await this.part(status, status.next_part),
            sent,
          );
        } else {
          return (await this.ask("PUT", at.finish, digests[status.parts])).next;
        }
        failures = 0;
        stuck = "";
      } catch (error) {
        if (this.stopped) throw new Cancelled();
        if (this.paused) {
          status = null;
          continue;
        }
        if (error instanceof Closed) {
          this.pause();
          this.sayClosed(at.page);
          status = null;
          continue;
        }
        if (error instanceof Switched) {
          this.pause();
          offerWay(this.find("[data-said]"), error.message, error);
          status = null;
          continue;
        }
        if (error instanceof Refused) throw error;
        if (!(error instanceof Broken || error instanceof Busy)) throw error;
        // The same conflict again at the same place, and nobody at work there: waiting changes nothing.
        if (
          error instanceof Busy &&
          status &&
          status.state !== "receiving" &&
          stuck === `${status.next_part}${error.message}`
        ) {
          throw new Refused(error.message);
        }
        stuck = error instanceof Busy && status ? `${status.next_part}${error.message}` : "";
        status = null;
        await this.tryAgainAfter(failures++, error);
      }
    }
  }

  async tryAgainAfter(failures, error) {
    const wait = Math.max(Math.min(RETRY_FIRST * 2 ** failures, RETRY_LAST), error.wait ?? 0);
    const why = error.message || (navigator.onLine ? "The portal cannot be reached." : "You are offline.");
    const time = wait < 120000 ? `${Math.round(wait / 1000)} s` : `${Math.round(wait / 60000)} minutes`;
    const next = error.startsOver ? "Beginning" : "What was sent is kept; trying";
    this.say(`${why} ${next} again in ${time} …`);
    await this.rest(wait);
  }

  async part(status, number) {
    try {
      return await this.file
        .slice(number * status.part_bytes, (number + 1) * status.part_bytes)
        .arrayBuffer();
    } catch {
      throw unreadable();
    }
  }

  async digestUpTo(digests, status) {
    while (digests.length <= status.next_part) {
      const number = digests.length - 1;
      if (number === 0 && status.next_part > 1) this.say("Comparing the file with what is here already …");
      const before = digests[number].match(/../g).map((pair) => parseInt(pair, 16));
      const inner = await sha256(await this.part(status, number));
      digests.push(hex(await sha256(new Uint8Array([...before, ...inner]))));
      await this.whenAllowed();
    }
  }
}

window.FileRow = FileRow;
window.uploadErrors = { Refused, Closed, Switched, Cancelled, Busy, Broken };
