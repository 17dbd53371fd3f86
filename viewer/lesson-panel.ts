/** The lesson beside the views that it drives. */
import { bestOf, findBoxes } from "./boxes.ts";
import type { Client, Run } from "./client.ts";
import { byId, el } from "./dom.ts";
import { type Chapter, chaptersOf, type Followed } from "./lesson.ts";
import type { State } from "./state.ts";

/** What the lesson needs of the page. */
export interface LessonPage {
  readonly client: Client;
  readonly set: (change: Partial<State>) => void;
  readonly fail: (error: unknown) => void;
}

/** The lesson in #lesson. */
export class LessonPanel {
  readonly #page: LessonPage;
  readonly #root = byId("lesson");
  #run: Run | undefined;
  #chapters: readonly Chapter[] = [];
  #drawn = "";

  constructor(page: LessonPage) {
    this.#page = page;
    byId("take-lesson").addEventListener("click", () => this.#open(1));
  }

  /** Tells it of a run; the chapters are about what that found. */
  async show(run: Run): Promise<void> {
    this.#run = run;
    try {
      const followed = await follow(this.#page.client, run);
      if (this.#run !== run) return;
      this.#chapters = chaptersOf(run, followed);
      this.#drawn = "";
    } catch (error) {
      this.#page.fail(error);
    }
  }

  /** How many chapters there are; 0 before a run. */
  get length(): number {
    return this.#chapters.length;
  }

  /** Draws the chapter that the state names; 0 is none. */
  update(state: Readonly<State>): void {
    const number = Math.min(state.lesson, this.#chapters.length);
    const chapter = this.#chapters[number - 1];
    document.body.toggleAttribute("data-lesson", state.lesson > 0);
    this.#root.hidden = state.lesson === 0;
    if (!chapter) return;
    const drawn = `${number}/${this.#chapters.indexOf(chapter)}`;
    if (this.#drawn !== drawn) {
      this.#drawn = drawn;
      this.#draw(chapter, number);
    }
    for (const [i, { state: own }] of chapter.looks.entries()) {
      const shown = Object.entries(own).every(
        ([key, value]) => String(state[key as keyof State] ?? "") === String(value ?? ""),
      );
      const button = this.#root.querySelector(`[data-look="${i}"]`);
      button?.setAttribute("aria-pressed", String(shown));
    }
  }

  #draw({ title, paragraphs, looks }: Chapter, number: number): void {
    const many = this.#chapters.length;
    const to = (text: string, id: string, chapter: number): HTMLElement =>
      el(
        "button",
        {
          type: "button",
          class: chapter > number ? "button" : "button quiet",
          id,
          disabled: chapter < 1 || chapter > many,
          onclick: () => this.#open(chapter),
        },
        text,
      );
    const select = el("select", {
      id: "chapter",
      "aria-label": "Chapter",
      onchange: () => this.#open(Number(select.value)),
    });
    for (const [i, chapter] of this.#chapters.entries())
      select.append(el("option", { value: i + 1, selected: i + 1 === number }, `${i + 1}. ${chapter.title}`));
    this.#root.replaceChildren(
      el(
        "div",
        { class: "lesson-head" },
        select,
        el(
          "button",
          {
            type: "button",
            class: "button quiet step",
            id: "leave-lesson",
            "aria-label": "Leave the lesson",
            onclick: () => {
              this.#page.set({ lesson: 0 });
              byId("take-lesson").focus();
            },
          },
          "×",
        ),
      ),
      el("h2", { class: "lesson-title", tabindex: -1 }, title),
      ...paragraphs.map((text) => el("p", {}, text)),
      el(
        "ul",
        { class: "looks", "aria-label": "Look at" },
        ...looks.map(({ text, state }, i) =>
          el(
            "li",
            {},
            el(
              "button",
              {
                type: "button",
                class: "look",
                "data-look": i,
                "aria-pressed": "false",
                onclick: () => {
                  this.#page.set(state);
                  const main = byId("main");
                  // On a phone the view is below the text.
                  if (main.getBoundingClientRect().top > innerHeight / 2)
                    main.scrollIntoView({ block: "start" });
                },
              },
              text,
            ),
          ),
        ),
      ),
      el(
        "div",
        { class: "lesson-foot" },
        to("Back", "chapter-before", number - 1),
        el("span", { class: "soft" }, `${number} of ${many}`),
        to("Next", "chapter-next", number + 1),
      ),
    );
  }

  /** Opens a chapter and shows its first look. */
  #open(number: number): void {
    const chapter = this.#chapters[number - 1];
    if (!chapter) return;
    this.#page.set({ ...chapter.looks[0].state, lesson: number });
    this.#root.scrollTop = 0;
    this.#root.querySelector("h2")?.focus({ preventScroll: true });
  }
}

/** What was found surest. */
async function follow(client: Client, run: Run): Promise<Followed> {
  const { queries, scores, classes, boxes, layers } = await findBoxes(client, run);
  let best = { query: 0, score: Number.NEGATIVE_INFINITY, classId: 0 };
  for (let query = 0; query < queries; query++) {
    const { classId, score } = bestOf(scores, classes, query);
    if (score > best.score) best = { query, score, classId };
  }
  const [x, y] = boxes[layers].subarray(4 * best.query);
  const within = (share: number): number => Math.min(0.999, Math.max(0, share));
  const { query, score } = best;
  return {
    query,
    score,
    classId: best.classId,
    x: within(x),
    y: within(y),
    name: run.record.names[best.classId],
  };
}
