/** One key and its value, one table header, or one line of neither, with the line break after it. */
export interface Statement {
  readonly text: string
  /** The table that it stands in, or opens; empty at the top. */
  readonly table: readonly string[]
  /** `null`: a header, a comment or an empty line. */
  readonly key: readonly string[] | null
}

/**
 * Takes TOML apart into statements that make up the whole text again. Enough to take some out and put others in; values
 * are skipped over, not read.
 *
 * @returns `null` when the text is not TOML as far as this looks
 */
export function statements(text: string): Statement[] | null {
  const found: Statement[] = []
  let table: readonly string[] = []
  let at = 0
  while (at < text.length) {
    const start = at
    const line = /[^\n]*\n?/y
    line.lastIndex = at
    const blank = /[ \t\r]*(#[^\n]*)?(\n|$)/y
    blank.lastIndex = at
    if (blank.test(text)) {
      at = blank.lastIndex
      found.push({ text: text.slice(start, at), table, key: null })
      continue
    }
    const header = HEADER.exec(line.exec(text)![0])
    if (header) {
      at = line.lastIndex
      table = parts(header[2]!)
      found.push({ text: text.slice(start, at), table, key: null })
      continue
    }
    PAIR.lastIndex = at
    const pair = PAIR.exec(text)
    const end = pair && valueEnd(text, PAIR.lastIndex)
    if (!pair || end === null) return null
    at = end
    found.push({ text: text.slice(start, at), table, key: parts(pair[1]!) })
  }
  return found
}

const PART = `(?:[A-Za-z0-9_-]+|"(?:[^"\\\\\\n]|\\\\.)*"|'[^'\\n]*')`
const NAME = `${PART}(?:[ \\t]*\\.[ \\t]*${PART})*`
const HEADER = new RegExp(`^[ \\t]*(\\[\\[?)[ \\t]*(${NAME})[ \\t]*\\]\\]?[ \\t\\r]*(?:#[^\\n]*)?\\n?$`)
const PAIR = new RegExp(`[ \\t]*(${NAME})[ \\t]*=`, 'y')

/** The parts of a dotted name, without quotes. */
function parts(name: string): string[] {
  return name.match(new RegExp(PART, 'g'))!.map((part) => part.replace(/^(["'])(.*)\1$/, '$2'))
}

/** Strings, which may hold anything; brackets, which may go over lines; comments; the rest. */
const TOKEN =
  /"""(?:[^\\]|\\[\s\S])*?"""+|'''[\s\S]*?'''+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[[{]|[\]}]|#[^\n]*|\n|[^"'[\]{}#\n]+/y

/** Where the statement ends whose value begins at `from`: after the line break that no bracket holds open. */
function valueEnd(text: string, from: number): number | null {
  let depth = 0
  TOKEN.lastIndex = from
  for (let token = TOKEN.exec(text); token; token = TOKEN.exec(text)) {
    if (token[0] === '[' || token[0] === '{') depth++
    else if (token[0] === ']' || token[0] === '}') depth--
    else if (token[0] === '\n' && depth === 0) return TOKEN.lastIndex
    if (depth < 0) return null
    if (TOKEN.lastIndex === text.length) return depth === 0 ? text.length : null
  }
  return null
}
