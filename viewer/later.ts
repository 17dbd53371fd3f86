/** Work that can wait until the next frame has been seen. */

const SLICE_MS = 8; // half a frame: what the reader does meanwhile is answered in time

/** Does the jobs in their order, some in each frame, the first after the next one. The function that it gives drops what is left. */
export function later(jobs: readonly (() => void)[]): () => void {
  let [next, frame, timer] = [0, 0, 0];
  const slice = (): void => {
    const end = performance.now() + SLICE_MS;
    while (next < jobs.length && performance.now() < end) jobs[next++]();
    if (next < jobs.length) wait();
  };
  const wait = (): void => {
    frame = requestAnimationFrame(() => {
      timer = setTimeout(slice); // a frame is drawn after its callbacks
    });
  };
  wait();
  return () => {
    next = jobs.length;
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
}
