/** Runs in the page that `viewer.ts` times; plain JavaScript, for it is given to the browser as it is. */

/** The grid of maps, once all tiles of it that can be seen are painted. */
function grid() {
  const found = document.querySelector("#main .grid");
  return found?.children.length > 0 && found.ariaBusy !== "true" ? found : undefined;
}

/** The parts of a tile's canvas that nobody painted are transparent. */
function isPainted(canvas) {
  const { width, height } = canvas;
  const [, , , alpha] = canvas.getContext("2d").getImageData(width >> 1, height >> 1, 1, 1).data;
  return alpha === 255;
}

/**
 * Milliseconds from the change of the address to the frame that shows the layer's maps. An error where a tile that can be seen is
 * blank then.
 */
window.timeMaps = async (hash, path) => {
  const before = grid();
  const start = performance.now();
  location.hash = hash;
  const title = () => document.querySelector("#main .path")?.textContent ?? "";
  while (!grid() || grid() === before || !title().startsWith(`${path} `))
    await new Promise(requestAnimationFrame);
  const { port1, port2 } = new MessageChannel();
  await new Promise((resolve) => {
    port1.onmessage = resolve;
    port2.postMessage(undefined); // within a frame's callbacks: it arrives when that frame has been laid out and drawn
  });
  const ms = performance.now() - start;
  for (const canvas of grid().querySelectorAll("canvas")) {
    const { top, bottom } = canvas.getBoundingClientRect();
    if (top < innerHeight && bottom > 0 && !isPainted(canvas))
      throw new Error(`${path}: a tile in sight is blank`);
  }
  return ms;
};
