/** `mobiledetr completion`: scripts for shells, made from the same specs as the parser and the help texts. */
import { DEFAULT_MODEL } from "../choices.ts";
import { fail } from "../errors.ts";
import { VARIANT_NAMES } from "../models/mobilenetv4/variants.ts";
import { COMMON_OPTIONS } from "./arguments.ts";
import type { Command, OptionSpec } from "./command.ts";
import { EXIT_DONE } from "./exit-codes.ts";

const SHELLS: Readonly<Record<string, (commands: readonly Command[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** `mobiledetr completion`; `load` gives all commands. */
export function completionCommand(load: () => Promise<readonly Command[]>): Command {
  return {
    name: "completion",
    summary: "Print a script that completes commands, options and values in a shell.",
    description:
      "Prints a script for a shell, which then completes commands, options, their values and files behind mobiledetr. " +
      "bash: source <(mobiledetr completion bash) in ~/.bashrc. zsh: write it to a file _mobiledetr in a folder of $fpath. " +
      "fish: write it to ~/.config/fish/completions/mobiledetr.fish.",
    positional: { name: Object.keys(SHELLS).join("|"), help: "The shell.", least: 1, most: 1 },
    options: [],
    examples: [["mobiledetr completion bash > mobiledetr.bash", "A script to source."]],
    async run({ words: [shell] }, terminal) {
      if (!Object.hasOwn(SHELLS, shell))
        fail("argument", "shell", Object.keys(SHELLS).join(" or "), JSON.stringify(shell));
      terminal.print(SHELLS[shell](await load()));
      return EXIT_DONE;
    },
  };
}

/** What may stand at a place: some words, files, folders. */
interface Values {
  readonly words: readonly string[];
  readonly files: "files" | "folders" | undefined;
}

/** Read off what the help calls a value: "wasm|reference", "N|auto", "FILE.json", "DIR". */
function valuesOf(name: string, value: string): Values {
  const words = value.split("|").filter((word) => /^[a-z][a-z-]*$/.test(word));
  const models = name === "model" || value === "MODEL" ? [DEFAULT_MODEL, ...VARIANT_NAMES] : [];
  const files = /FILE|SOURCE|INPUT|IMAGE|PICTURE|DATA|MODEL/.test(value) || words.includes("diff");
  return {
    words: [...models, ...words],
    files: files ? "files" : /DIR|FOLDER/.test(value) ? "folders" : undefined,
  };
}

/** A command's options and the values of its words. */
function partsOf({ options, positional }: Command): { options: readonly OptionSpec[]; values: Values } {
  return { options: [...options, ...COMMON_OPTIONS], values: valuesOf("", positional?.name ?? "") };
}

const firstSentence = (text: string): string => text.replace(/\.( .*)?$/s, "");

function bashScript(commands: readonly Command[]): string {
  const names = commands.map(({ name }) => name);
  const set = ({ words, files }: Values): string => `words="${words.join(" ")}" files=${files ?? ""}`;
  const cases = commands.flatMap((command) => {
    const { options, values } = partsOf(command);
    const taking = options.filter(({ value }) => value);
    return [
      ...taking.map(
        ({ name, value = "" }) => `    ${command.name}:--${name}) ${set(valuesOf(name, value))} ;;`,
      ),
      `    ${command.name}:-) words="${options.map(({ name }) => `--${name}`).join(" ")}" ;;`,
      `    ${command.name}:*) ${set(values)} ;;`,
    ];
  });
  return `# mobiledetr in bash: source <(mobiledetr completion bash)
_mobiledetr() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} words= files= i
  # bash takes --name=value for three words.
  if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  [[ $prev == --?* ]] || { prev=; [[ $cur == -* ]] && prev=-; }
  for ((i = 2; i < COMP_CWORD; i++)); do [[ \${COMP_WORDS[i]} == -- ]] && prev=; done
  case $COMP_CWORD:\${COMP_WORDS[1]}:$prev in
    1:*) words="${names.join(" ")} help --help --version" ;;
    *) _mobiledetr_words "\${COMP_WORDS[1]}:$prev" "$cur" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  # Without words files are completed, but where there are none to name.
  [[ $files ]] || compopt +o default 2> /dev/null
  [[ $files == folders ]] && compopt -o dirnames +o default 2> /dev/null
  return 0
}
_mobiledetr_words() {
  case $1 in
${cases.join("\n")}
    help:*) words="${names.join(" ")}" ;;
  esac
}
complete -o default -F _mobiledetr mobiledetr`;
}

function zshScript(commands: readonly Command[]): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const plain = (text: string): string => text.replace(/[[\]:\\]/g, "\\$&");
  const action = ({ words, files }: Values): string => {
    const more = files && `_files${files === "folders" ? " -/" : ""}`;
    if (words.length === 0) return more ?? " ";
    return more
      ? ` _alternative "words\\:word\\:(${words.join(" ")})" "files\\:file\\:${more}"`
      : `(${words.join(" ")})`;
  };
  const option = ({ name, value, help }: OptionSpec): string =>
    quote(
      `--${name}${value ? "=" : ""}[${plain(firstSentence(help))}]${value ? `:${plain(value)}:${action(valuesOf(name, value))}` : ""}`,
    );
  const cases = commands.map((command) => {
    const { options, values } = partsOf(command);
    const rest = command.positional
      ? ` ${quote(`*:${plain(command.positional.name)}:${action(values)}`)}`
      : "";
    return `      ${command.name}) _arguments ${options.map(option).join(" ")}${rest} ;;`;
  });
  return `#compdef mobiledetr
_mobiledetr() {
  local curcontext=$curcontext state line
  local -a commands=(${commands.map(({ name, summary }) => quote(`${name}:${plain(summary)}`)).join(" ")} 'help:Print help.')
  _arguments -C '1: :->command' '*:: :->rest' && return
  case $state in
    command) _describe command commands ;;
    rest) case $line[1] in
${cases.join("\n")}
      help) _describe command commands ;;
    esac ;;
  esac
}
if [ "$funcstack[1]" = _mobiledetr ]; then _mobiledetr "$@"; else compdef _mobiledetr mobiledetr; fi`;
}

function fishScript(commands: readonly Command[]): string {
  const quote = (text: string): string => `'${text.replace(/['\\]/g, "\\$&")}'`;
  const lines = commands.flatMap((command) => {
    const { options, values } = partsOf(command);
    const when = `complete -c mobiledetr -n '__fish_seen_subcommand_from ${command.name}'`;
    const given = ({ words, files }: Values): string =>
      `${files ? " -F" : ""}${words.length > 0 ? ` -a ${quote(words.join(" "))}` : ""}`;
    return [
      `complete -c mobiledetr -n __fish_use_subcommand -a ${command.name} -d ${quote(firstSentence(command.summary))}`,
      ...options.map(
        ({ name, value, help }) =>
          `${when} -l ${name}${value ? `${valuesOf(name, value).files ? " -r" : " -x"}${given(valuesOf(name, value))}` : ""} -d ${quote(firstSentence(help))}`,
      ),
      ...(given(values) ? [when + given(values)] : []),
    ];
  });
  const names = commands.map(({ name }) => name).join(" ");
  return [
    "complete -c mobiledetr -f",
    ...lines,
    `complete -c mobiledetr -n '__fish_seen_subcommand_from help' -a ${quote(names)}`,
  ].join("\n");
}
