import type { Agent, Contents } from './agent.ts'
import { asciiJson, type Ours, parseOurs } from './ours.ts'
import { type Statement, statements } from './toml.ts'

/** Takes no base URL from the environment: it needs a provider in its configuration, which names the key's variable. */
export const codex: Agent = {
  needs: ['openai'],
  file: {
    path: '.codex/config.toml',
    format: 'TOML with providers as [model_providers.NAME] tables',
    empty: '',
    read,
    write,
  },
}

const NOTE = '#till Written by till/mint. Its post step takes this out, and brings back the lines marked #till-. '
/** Before each line that is left out meanwhile. */
const LEFT_OUT = '#till- '
const CHOICE = 'model_provider = "till"\n'

/**
 * The configuration with a provider `till` that is chosen. Everything else stays, letter by letter. The choice of a
 * provider, and a `till` of the user's own, become comments where they stand, since TOML allows each name once.
 */
function write(own: string, ours: Ours): string {
  const kept = statements(own)!.map((statement) =>
    isChoice(statement) || isInTill(statement) || statement.text.startsWith('#till')
      ? statement.text.replace(/[^\n]*\n|[^\n]+$/g, (line) => LEFT_OUT + line)
      : statement.text,
  )
  return `${NOTE}${asciiJson(ours)}
${CHOICE}${kept.join('')}
[model_providers.till]
name = "Till"
base_url = ${JSON.stringify(ours.jobs.at(-1)!.base)}
env_key = "OPENAI_API_KEY"
wire_api = "responses"
supports_websockets = false
`
}

/** Takes out what `write` put in, statement by statement: whoever changed others, or added some, keeps them. */
function read(text: string): Contents | null {
  const found = statements(text)
  if (found === null || found.some(isInlineProviders)) return null
  const ours = found.map(note).find((noted) => noted !== null)
  if (!ours) return { own: text, ours: null }

  // Where another choice has been made since, the former one does not come back beside it.
  const chosen = found.some((statement) => isChoice(statement) && statement.text !== CHOICE)
  const own = (part: readonly Statement[]) =>
    part
      .filter((statement) => !isOurs(statement))
      .map(({ text }) => (text.startsWith(LEFT_OUT) ? broughtBack(text.slice(LEFT_OUT.length), chosen) : text))
      .join('')
  const table = found.findIndex((statement) => isInTill(statement) && isOurs(statement))
  if (table < 0) return { own: own(found), ours }
  const before = own(found.slice(0, table)).replace(/\n$/, '')
  const after = own(found.slice(table))
  return { own: before + (/[^\n]$/.test(before) && after !== '' ? '\n' : '') + after, ours }
}

function broughtBack(line: string, chosen: boolean): string {
  return chosen && statements(line)?.some(isChoice) ? '' : line
}

/** What Till noted down, if the statement is its note. */
function note({ text }: Statement): Ours | null {
  if (!text.startsWith(NOTE)) return null
  try {
    return parseOurs(JSON.parse(text.slice(NOTE.length)))
  } catch {
    return null
  }
}

/** The note, our choice, and keys and headers of our table; not comments and empty lines that stand in it. */
function isOurs(statement: Statement): boolean {
  if (isInTill(statement)) return !/^[ \t\r]*(#|\n|$)/.test(statement.text)
  return note(statement) !== null || (isChoice(statement) && statement.text === CHOICE)
}

function isChoice({ table, key }: Statement): boolean {
  return table.length === 0 && key?.length === 1 && key[0] === 'model_provider'
}

/** In the table `model_providers.till` or below, its header included. */
function isInTill({ table }: Statement): boolean {
  return table[0] === 'model_providers' && table[1] === 'till'
}

/** `model_providers = {…}` and dotted names cannot be added to by a table. */
function isInlineProviders({ table, key }: Statement): boolean {
  if (key === null) return false
  return table.length === 0
    ? key[0] === 'model_providers'
    : table.length === 1 && table[0] === 'model_providers' && key[0] === 'till'
}
