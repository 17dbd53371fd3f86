/** The page that looks inside a run, opened by a spec. */
import type { Browser, Page } from "playwright-core";
import type { StaticServer } from "./serve.ts";

/** The page's address on a server of the package's folder. */
export const PAGE = "/dist/viewer/index.html";

/** Opens the page and waits for its first run. What it says and asks for goes to `said` and `asked`. */
export async function openViewer(
  browser: Browser,
  server: StaticServer,
  hash: string,
  { search = "", said = [], asked = [] }: { search?: string; said?: string[]; asked?: string[] } = {},
): Promise<Page> {
  const opened = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  opened.on("console", (message) => said.push(message.text()));
  opened.on("pageerror", (error) => said.push(String(error)));
  opened.on("request", (request) => asked.push(request.url()));
  await opened.goto(`${server.url}${PAGE}${search}${hash}`);
  await ranAgain(opened, undefined);
  return opened;
}

/** Which run the page shows; what {@link ranAgain} waits to change. */
export async function runOf(page: Page): Promise<string | undefined> {
  return page.evaluate(() => document.body.dataset.ready);
}

/** Waits until the page shows another run than `before`. */
export async function ranAgain(page: Page, before: string | undefined): Promise<void> {
  await page.waitForFunction((old) => document.body.dataset.ready !== old, before ?? undefined);
}
