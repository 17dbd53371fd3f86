/** A user's project in a folder of its own: the package as it is published, and a page. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** The page's program: what tests call is put where they reach it. */
const MAIN = `import { Detector, loadDetector, MobileDetrError } from "mobiledetr";
import { codes } from "mobiledetr/models/codes";

window.api = { Detector, loadDetector, MobileDetrError, codes };
`;

/** A program without the default model: what a page pays that fetches its weights. */
const SMALL = `import { loadDetector } from "mobiledetr";

window.api = { loadDetector };
`;

const PAGE = (script: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>mobiledetr</title>
<link rel="icon" href="data:,">
${script}
</html>
`;

/** Writes the project into a folder. */
export function writeProject(folder: string): void {
  const { files, version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const installed = join(folder, "node_modules/mobiledetr");
  for (const file of ["package.json", ...files] as string[]) {
    if (file.startsWith("!")) continue;
    mkdirSync(dirname(join(installed, file)), { recursive: true });
    cpSync(join(ROOT, file), join(installed, file), { recursive: true });
  }
  const manifest = { name: "page", private: true, type: "module", dependencies: { mobiledetr: version } };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  writeFileSync(join(folder, "main.js"), MAIN);
  writeFileSync(join(folder, "small.js"), SMALL);
  writeFileSync(join(folder, "index.html"), PAGE('<script type="module" src="/main.js"></script>'));
  for (const picture of ["cat.jpg", "coffee.jpg"]) {
    mkdirSync(join(folder, "pictures"), { recursive: true });
    cpSync(join(ROOT, "examples/pictures", picture), join(folder, "pictures", picture));
  }
}

/** The page of a built bundle. */
export function pageOf(script: string): string {
  return PAGE(`<script type="module" src="${script}"></script>`);
}

/** A page without any bundle: an import map, and the package's own files. */
export function staticPage(): string {
  const imports = {
    mobiledetr: "/node_modules/mobiledetr/dist/browser/index.js",
    "mobiledetr/models/codes": "/node_modules/mobiledetr/dist/browser/models/codes.js",
  };
  const map = `<script type="importmap">${JSON.stringify({ imports })}</script>`;
  return PAGE(`${map}\n<script type="module" src="/main.js"></script>`);
}
