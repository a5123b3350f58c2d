// Looks for QR codes through the camera.
//
//   const over = new AbortController();
//   await scan(video, (text) => …, over.signal);

const PAUSE = 60; // ms between two looks, so that a till's tablet stays cool
const CAMERA = { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } };

const REASONS = {
  NotAllowedError: "refused",
  SecurityError: "refused",
  NotFoundError: "absent",
  OverconstrainedError: "absent",
  NotReadableError: "busy",
  AbortError: "busy",
};

/** `reason`: "insecure" (no https), "absent", "refused", "busy" (another app has it), or
 * "unreadable" (the camera works, but nothing here can read QR codes). */
export class CameraError extends Error {
  constructor(reason, cause) {
    super(reason, { cause });
    this.reason = reason;
  }
}

/** Shows in `video` what the camera sees and calls `onText` with what each QR code in it says, for
 * as long as it is seen. Ends, and lets go of the camera, when `signal` aborts, the page is hidden
 * or the camera is taken away; throws CameraError. */
export async function scan(video, onText, signal) {
  const over = new AbortController();
  const end = () => over.abort();
  const endIfHidden = () => document.hidden && end();
  signal.addEventListener("abort", end);
  document.addEventListener("visibilitychange", endIfHidden);
  let reader, stream;
  try {
    reader = await chooseReader();
    stream = await openCamera();
    over.signal.addEventListener("abort", () => letGo(video, stream));
    stream.getVideoTracks()[0].addEventListener("ended", end);
    if (signal.aborted || document.hidden) return;
    await show(video, stream);
    await look(video, reader, onText, over.signal);
  } catch (error) {
    if (!over.signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", end);
    document.removeEventListener("visibilitychange", endIfHidden);
    if (stream) letGo(video, stream);
    reader?.close();
  }
}

/** Switches the lamp of the camera that `video` shows: (on) => Promise; null where it has none. */
export function lampOf(video) {
  const [track] = video.srcObject?.getVideoTracks() ?? [];
  if (!track?.getCapabilities?.().torch) return null;
  return (on) => track.applyConstraints({ advanced: [{ torch: on }] });
}

async function openCamera() {
  if (!navigator.mediaDevices) throw new CameraError(isSecureContext ? "absent" : "insecure");
  try {
    return await navigator.mediaDevices.getUserMedia({ video: CAMERA, audio: false });
  } catch (error) {
    throw new CameraError(REASONS[error.name] ?? "busy", error);
  }
}

async function show(video, stream) {
  video.srcObject = stream;
  await video.play();
}

async function look(video, reader, onText, signal) {
  while (!signal.aborted) {
    for (const text of await reader.read(video)) {
      if (!signal.aborted) onText(text);
    }
    await new Promise((go) => setTimeout(go, PAUSE));
  }
}

function letGo(video, stream) {
  for (const track of stream.getTracks()) track.stop();
  if (video.srcObject === stream) video.srcObject = null;
}

// -- who reads ------------------------------------------------------------------------------------

/** The browser's own detector where it has one that works, else ours. */
async function chooseReader() {
  try {
    const formats = await BarcodeDetector.getSupportedFormats();
    if (!formats.includes("qr_code")) return new WorkerReader();
    const reader = new NativeReader();
    await reader.read(document.createElement("canvas")); // some have it in name only
    return reader;
  } catch {
    return new WorkerReader();
  }
}

class NativeReader {
  #detector = new BarcodeDetector({ formats: ["qr_code"] });

  /** What the QR codes in the video's present picture say. */
  async read(video) {
    return (await this.#detector.detect(video)).map(({ rawValue }) => rawValue);
  }

  close() {}
}

class WorkerReader {
  #worker = new Worker(new URL("scanner-worker.js", import.meta.url));
  #broken = new Promise((_, reject) => {
    this.#worker.onerror = (event) => reject(new CameraError("unreadable", event));
  });
  #canvas = document.createElement("canvas");
  #context = this.#canvas.getContext("2d", { willReadFrequently: true });

  constructor() {
    this.#broken.catch(() => {}); // it is the next read that says so
  }

  read(video) {
    const { data, width, height } = this.#picture(video);
    const answer = new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data: { texts, failed } }) =>
        texts ? resolve(texts) : reject(new CameraError("unreadable", failed));
    });
    this.#worker.postMessage({ data, width, height }, [data.buffer]);
    return Promise.race([answer, this.#broken]);
  }

  close() {
    this.#worker.terminate();
  }

  #picture(video) {
    const { videoWidth: width, videoHeight: height } = video;
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
    this.#context.drawImage(video, 0, 0);
    return this.#context.getImageData(0, 0, width, height);
  }
}
