import type { Agent, Contents } from './agent.ts'
import { insert, type Member, member, members, remove, replace } from './json.ts'
import { asciiJson, type Ours, parseOurs } from './ours.ts'

/** Asks for a way to log in, and whether it may trust the folder, unless both are settled beforehand. */
export const geminiCli: Agent = {
  needs: [],
  variables: () => ({ GEMINI_CLI_TRUST_WORKSPACE: 'true' }),
  file: {
    path: '.gemini/settings.json',
    format: 'JSON with objects where settings have them',
    empty: '{}\n',
    read,
    write,
  },
}

const PATH = ['security', 'auth', 'selectedType'] as const
const CHOICE = 'gemini-api-key'

/** A member of the settings, which Gemini CLI leaves alone (its settings-validation.ts lets unknown ones through). */
const NOTE = 'tillMint'
interface Note {
  readonly ours: Ours
  /** The former choice, as it stood in the text; `null` when there was none. */
  readonly former: string | null
  /** How many of the members of `PATH` were added, from its end. */
  readonly added: number
}

/** The settings with the key of the environment as the way to log in. Everything else stays, letter by letter. */
function write(own: string, ours: Ours): string {
  const found = walk(own)
  const [name, ...below] = PATH.slice(found.length)
  const last = found.at(-1)
  const note = (former: string | null): Note => ({ ours, former, added: PATH.length - found.length })
  if (name === undefined)
    return noted(replace(own, last!, JSON.stringify(CHOICE)), note(own.slice(last!.value, last!.end)))
  const value = below.reduceRight<unknown>((inner, outer) => ({ [outer]: inner }), CHOICE)
  return noted(insert(own, last?.value ?? 0, name, JSON.stringify(value)), note(null))
}

function noted(text: string, note: Note): string {
  return insert(text, 0, NOTE, asciiJson(note))
}

/** Takes out what `write` put in, member by member: whoever changed others, or added some, keeps them. */
function read(text: string): Contents | null {
  const all = object(parse(text))
  const security = all && inner(all, 'security')
  const auth = security && inner(security, 'auth')
  if (all === null || auth === null) return null
  if (!(NOTE in all)) return { own: text, ours: null }
  const { ours: value, former = null, added = 0 } = (object(all[NOTE]) ?? {}) as Partial<Note>
  const ours = parseOurs(value)
  if (ours === null) return null

  let own = remove(text, 0, NOTE)
  // A choice made since is the user's.
  if (auth['selectedType'] !== CHOICE) return { own, ours }
  if (typeof former === 'string') return { own: replace(own, walk(own).at(-1)!, former), ours }
  for (let depth = PATH.length - 1; depth >= Math.max(0, PATH.length - added); depth--) {
    const found = walk(own)
    const isTheirs = depth < PATH.length - 1 && members(own, found[depth]!.value).length > 0
    if (isTheirs) break
    own = remove(own, found[depth - 1]?.value ?? 0, PATH[depth]!)
  }
  return { own, ours }
}

/** The members of `PATH`, one within the other, as far as they are there. */
function walk(text: string): Member[] {
  const found: Member[] = []
  for (const name of PATH) {
    const next = member(text, found.at(-1)?.value ?? 0, name)
    if (next === null) break
    found.push(next)
  }
  return found
}

function parse(text: string): unknown {
  try {
    return JSON.parse(withoutComments(text))
  } catch {
    return undefined
  }
}

/** @returns `null` when it is none */
function object(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null
}

function inner(outer: Record<string, unknown>, name: string): Record<string, unknown> | null {
  return name in outer ? object(outer[name]) : {}
}

/** Gemini CLI allows comments in its settings. What stands in strings is left alone. */
function withoutComments(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (found) =>
    found.startsWith('"') ? found : ' ',
  )
}
