// A processor of BullMQ: jobs { path } in, detections out. One detector a process; BullMQ does the queue, retries and stalls.
//
//   npm install mobiledetr bullmq
//   import { Worker } from "bullmq";
//   const processor = new URL("./bullmq.mjs", import.meta.url);
//   new Worker("pictures", processor, { connection: { host: "localhost" }, concurrency: 1 });
//
// A job may come twice (a worker that died): the same bytes give the same answer, so nothing is lost by that.
import { loadDetector } from "mobiledetr";

const detector = loadDetector();

// biome-ignore lint/style/noDefaultExport: BullMQ takes a processor file's default export
export default async function detectPicture({ data }) {
  if (typeof data?.path !== "string") throw new Error(`a job needs { path }, got ${JSON.stringify(data)}`);
  const { width, height, detections } = await (await detector).detect(data.path);
  return { path: data.path, width, height, detections };
}
