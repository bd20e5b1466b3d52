import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { logFields } from '#broker/ports.ts'

/** A line that the sources can write. */
interface Line {
  readonly event: string
  readonly level: string
  readonly fields: readonly string[]
}

const known = new Set<string>(logFields)
const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(`src/${file}`, 'utf8'))
const CALL = /\blog\.(info|warn|error)\(\s*(?:'([a-z_.]+)'|`([a-z_.]+)\$\{fault\}`|(event),)(?:,\s*(\{[^}]*\}))?/g
const FAULT_CALL = /\blogFault\(\s*[\w.]+,\s*'([a-z_.]+)'/g
/** What stands for `fault` in the name of an event. */
const faults = namesIn(/type ProviderFault = (.*)/)

function namesIn(declaration: RegExp): string[] {
  const [found] = sources.flatMap((source) => declaration.exec(source)?.[1] ?? [])
  return [...(found ?? '').matchAll(/'(\w+)'/g)].map(([, name]) => name!)
}

const lines: readonly Line[] = sources.flatMap((source) => [
  ...[...source.matchAll(CALL)].flatMap(([, level, whole, begin, , object]) => {
    // Up to the first brace of a value: what is behind it is not compared.
    const words = [...(object ?? '').matchAll(/[{,]\s*(\w+)/g)].map(([, word]) => word!)
    const fields = words.filter((word) => known.has(word))
    const events = whole !== undefined ? [whole] : begin !== undefined ? faults.map((fault) => begin + fault) : []
    return events.map((event) => ({ event, level: level!, fields }))
  }),
  ...[...source.matchAll(FAULT_CALL)].map(([, event]) => ({
    event: event!,
    level: 'error',
    fields: ['error', 'code'],
  })),
])

const rows = new Map(
  readFileSync('docs/operations.md', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, event, level, fields] = /^\| `(\w+\.\w+)` \| ([a-z, ]+) \| ([^|]*?) ?\| .*\|$/.exec(line) ?? []
      return event ? [[event, { level: level!, fields: fields! }] as const] : []
    }),
)

test('every call of a log names its event in a way that this test reads', () => {
  for (const source of sources) {
    const calls = source.match(/\blog\??\.(?:info|warn|error)\(/g) ?? []
    expect([...source.matchAll(CALL)], source.slice(0, 500)).toHaveLength(calls.length)
  }
})

test('the log of docs/operations.md has the events that the sources log, and no other', () => {
  expect([...rows.keys()].sort()).toEqual([...new Set(lines.map(({ event }) => event))].sort())
})

describe.each([...new Set(lines.map(({ event }) => event))])('%s of the log stands in docs/operations.md', (event) => {
  const row = rows.get(event)
  const written = lines.filter((line) => line.event === event)

  test('with its level', () => {
    expect(row?.level.split(', ').sort()).toEqual([...new Set(written.map(({ level }) => level))].sort())
  })

  test('with its fields', () => {
    const named = [...(row?.fields ?? '').matchAll(/`(\w+)`/g)].map(([, field]) => field!)
    expect(named).toEqual(expect.arrayContaining(written.flatMap(({ fields }) => [...fields])))
    expect(named.filter((field) => !known.has(field))).toEqual([])
  })
})
