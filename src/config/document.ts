import { type Document, isAlias, LineCounter, type Node, parseDocument, visit } from 'yaml'
import type { ConfigProblem } from '#config.ts'
import { type OpenFile, Place } from './place.ts'

/** Characters. A configuration is a few thousand. */
const MAX_FILE_LENGTH = 1_048_576
/** Aliases multiply what a file says. */
const MAX_ALIASES = 100

/**
 * Parses the text of a configuration.
 *
 * @returns its root; or `null` when it is not YAML, with every fault of the syntax among the problems. They never
 *   repeat the text, since any part of it may be a secret.
 */
export function openDocument(source: string, problems: ConfigProblem[]): Place | null {
  if (source.length > MAX_FILE_LENGTH) {
    problems.push({ line: 0, column: 0, path: '', message: `expected at most ${MAX_FILE_LENGTH} characters` })
    return null
  }
  const lines = new LineCounter()
  const document = parseDocument(source, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    stringKeys: true,
    schema: 'core',
    logLevel: 'error',
  })
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  // One fault breaks the rest of its line, and says so many times.
  const faulty = new Set<number>()
  for (const fault of [...document.errors, ...document.warnings]) {
    const at = position(fault.pos[0])
    if (!faulty.has(at.line)) problems.push({ ...at, path: '', message: SYNTAX[fault.code] ?? NOT_YAML })
    faulty.add(at.line)
  }
  if (problems.length === 0)
    for (const alias of badAliases(document)) problems.push({ ...position(alias.offset), path: '', ...alias })
  if (problems.length > 0) return null

  const file: OpenFile = {
    problems,
    resolve: (node) => (isAlias(node) ? (node.resolve(document) ?? null) : (node as Node | null)),
    position: (node) => (node.range ? position(node.range[0]) : null),
  }
  return new Place(file, '', document.contents, { line: 1, column: 1 })
}

const NOT_YAML = 'this is not YAML'

/** What the parser objects to, by its codes; its own sentences quote the file. */
const SYNTAX: Readonly<Record<string, string>> = {
  BAD_DQ_ESCAPE: 'no such escape in a text in double quotes',
  BAD_INDENT: 'the indentation does not fit, or a list or map in brackets is not closed',
  BAD_SCALAR_START: 'a text that begins with this character must stand in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a text that holds ": " must stand in quotes',
  MISSING_CHAR: 'a closing quote or bracket is missing, or a ":" after a name',
  MULTILINE_IMPLICIT_KEY: 'a name and its ":" must stand on one line',
  MULTIPLE_DOCS: 'expected one document; remove what follows "---"',
  NON_STRING_KEY: 'expected a name',
  RESOURCE_EXHAUSTION: 'nested too deeply',
  TAB_AS_INDENT: 'indent with spaces, not with tabs',
  TAG_RESOLVE_FAILED: 'tags ("!…") are not read; a text that begins with "!" must stand in quotes',
  UNEXPECTED_TOKEN: 'this cannot follow here; put the whole text in quotes',
}

function badAliases(document: Document): { readonly offset: number; readonly message: string }[] {
  const bad: { offset: number; message: string }[] = []
  let count = 0
  visit(document, {
    Alias(_, alias) {
      const offset = alias.range?.[0] ?? 0
      if (++count > MAX_ALIASES) {
        bad.push({ offset, message: `expected at most ${MAX_ALIASES} aliases ("*…") in the file` })
        return visit.BREAK
      }
      if (alias.resolve(document) === undefined)
        bad.push({
          offset,
          message: 'this alias has no anchor before it; a text that begins with "*" must stand in quotes',
        })
      return undefined
    },
  })
  return bad
}
