/** A page that finds codes in pictures: drop one, paste one, or choose one. Plain JavaScript; no build step, no network. */
import { loadDetector } from "mobiledetr";
import { codes } from "mobiledetr/models/codes";

const SAMPLES = ["wall.jpg", "cat.jpg", "coffee.jpg"];
const COLOURS = {
  barcode: "#e4572e",
  qr: "#2374e1",
  datamatrix: "#c930b8",
  aztec: "#7a5cff",
  pdf417: "#b98900",
  maxicode: "#12936b",
};

const $ = (id) => document.getElementById(id);
const stage = $("stage");
const canvas = $("canvas");

const loading = loadDetector({ model: codes });
let picture; // { bitmap, bytes } that is shown
let turn = 0; // counts what was asked for: a late answer to an earlier question is dropped

function say(text, bad = false) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}

function showFacts(facts) {
  const rows = Object.entries(facts).flatMap(([name, value]) => {
    const [term, definition] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    definition.textContent = value;
    return [term, definition];
  });
  $("facts").replaceChildren(...rows);
}

function threadsOf({ threads, isolated }) {
  if (isolated) return `${threads}`;
  return "1 (this page is not cross-origin isolated; see README.md)";
}

/** Draws the picture with its boxes; line and text keep their size on the screen, whatever the picture's. */
function draw(bitmap, detections) {
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.hidden = false;
  $("empty").hidden = true;
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const unit = canvas.width / (canvas.clientWidth || canvas.width);
  const size = 14 * unit;
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textBaseline = "top";
  for (const { name, score, box } of detections) {
    const [x1, y1, x2, y2] = box;
    const colour = COLOURS[name] ?? "#e4572e";
    context.lineWidth = 5 * unit;
    context.strokeStyle = "#ffffffcc"; // on dark and light ground alike
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    context.lineWidth = 3 * unit;
    context.strokeStyle = colour;
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    const label = `${name} ${score.toFixed(2)}`;
    const width = context.measureText(label).width + 10 * unit;
    const height = size + 8 * unit;
    const x = Math.max(0, Math.min(x1, canvas.width - width));
    const y = y1 >= height ? y1 - height : Math.min(Math.max(y1, 0), canvas.height - height);
    context.fillStyle = colour;
    context.fillRect(x, y, width, height);
    context.fillStyle = "#fff";
    context.fillText(label, x + 5 * unit, y + 4 * unit);
  }
}

function showTable(detections) {
  const rows = detections.map(({ name, score, box }) => {
    const [x1, y1, x2, y2] = box.map(Math.round);
    const row = document.createElement("tr");
    const mark = document.createElement("i");
    mark.style.background = COLOURS[name] ?? "#e4572e";
    const kind = document.createElement("td");
    kind.append(mark, name);
    const others = [score.toFixed(3), `${x1}, ${y1}, ${x2 - x1}, ${y2 - y1}`].map((text) => {
      const cell = document.createElement("td");
      cell.textContent = text;
      return cell;
    });
    row.append(kind, ...others);
    return row;
  });
  $("rows").replaceChildren(...rows);
  $("rows").parentElement.hidden = rows.length === 0;
}

/** Detects in the picture that is shown, and shows what was found. */
async function detect() {
  if (!picture) return;
  const { bitmap, bytes } = picture;
  const mine = ++turn;
  stage.classList.add("busy");
  try {
    const detector = await loading;
    if (mine !== turn) return;
    say("Looking…");
    const started = performance.now();
    // The file's bytes, not the canvas's pixels: the package's own decoder gives the same numbers in every browser.
    const { detections, speed, width, height } = await detector.detect(bytes, {
      conf: Number($("conf").value),
      sort: true,
    });
    if (mine !== turn) return;
    const milliseconds = performance.now() - started;
    draw(bitmap, detections);
    showTable(detections);
    say(detections.length === 1 ? "1 code found" : `${detections.length || "No"} codes found`);
    showFacts({
      Picture: `${width} × ${height} pixels`,
      Time: `${Math.round(milliseconds)} ms, ${Math.round(speed.inference)} of them the network`,
      Threads: threadsOf(detector.info),
    });
  } catch (error) {
    if (mine !== turn) return;
    say(error.message, true);
    showTable([]);
  } finally {
    if (mine === turn) stage.classList.remove("busy");
  }
}

/** Takes a file. */
async function take(file) {
  turn++;
  try {
    const bytes = await file.arrayBuffer();
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    picture?.bitmap.close();
    picture = { bitmap, bytes };
  } catch (error) {
    say(`This is no picture that the browser can show (${error.message}).`, true);
    return;
  }
  draw(picture.bitmap, []);
  showTable([]);
  $("again").hidden = false;
  await detect();
}

for (const name of SAMPLES) {
  const button = document.createElement("button");
  button.type = "button";
  const image = document.createElement("img");
  image.src = `pictures/${name}`;
  image.alt = `Sample: ${name}`;
  button.append(image);
  button.addEventListener("click", async () => take(await (await fetch(image.src)).blob()));
  $("samples").append(button);
}

$("file").addEventListener("change", ({ target }) => {
  if (target.files[0]) void take(target.files[0]);
  target.value = ""; // so that the same file can be chosen again
});
$("again").addEventListener("click", () => $("file").click());
$("conf").addEventListener("input", ({ target }) => {
  $("conf-value").textContent = Number(target.value).toFixed(2);
  void detect();
});
document.addEventListener("paste", ({ clipboardData }) => {
  if (clipboardData?.files[0]) void take(clipboardData.files[0]);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  stage.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) stage.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  stage.classList.remove("over");
  if (event.dataTransfer?.files[0]) void take(event.dataTransfer.files[0]);
});

try {
  const detector = await loading;
  if (!picture) {
    say("Ready");
    showFacts({ Model: `${detector.info.model}, version 0`, Threads: threadsOf(detector.info) });
  }
} catch (error) {
  say(error.message, true);
}
