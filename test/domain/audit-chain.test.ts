import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { chainVerifier, type Sha256, type Witness } from '#domain/audit-chain.ts'
import { type AuditFact, eventText, FIRST_PREV } from '#domain/audit-event.ts'

const sha256: Sha256 = (bytes) => hash('sha256', bytes, 'hex')
const KEY = 'k_0123456789012345678901'

const REFUSED: AuditFact = {
  type: 'request.refused',
  code: 'scope_denied',
  provider: 'openai',
  route: 'GET /ä',
  model: null,
  count: 1,
}

const chain = (length: number): string[] => linked(new Array(length).fill(REFUSED))

function linked(facts: readonly AuditFact[]): string[] {
  let prev = FIRST_PREV
  return facts.map((fact, i) => {
    const text = eventText({ ...fact, chain: KEY, seq: i + 1, at: 1_790_000_000.25, prev })
    prev = sha256(text)
    return text
  })
}

const bytes = (text: string) => Buffer.from(text)

function verified(events: readonly Uint8Array[], witnesses: readonly Witness[] = []) {
  const verifier = chainVerifier(KEY, sha256, witnesses)
  for (const event of events) verifier.add(event, null)
  return verifier.end()
}

const ten = chain(10)
const end: Witness = { seq: 10, hash: sha256(ten[9]!), by: 'checkpoint 3' }
const fault = (events: readonly string[]) => {
  const { fault } = verified(events.map(bytes), [end])
  return fault && `${fault.kind} ${fault.seq}`
}

test('a chain that nobody changed verifies, and tells how far witnesses cover it', () => {
  expect(verified(ten.map(bytes), [end])).toEqual({
    events: 10,
    unwitnessed: 0,
    head: { chain: KEY, seq: 10, hash: end.hash },
    used: 0,
    limit: null,
    hasEnded: false,
    fault: null,
  })
  expect(verified(ten.map(bytes), [{ ...end, seq: 7, hash: sha256(ten[6]!) }]).unwitnessed).toBe(3)
})

const minted = { type: 'key.minted', limit: 2 } as AuditFact
const activation = { type: 'activation' } as AuditFact
const givenBack = { type: 'activation.given_back' } as AuditFact
const ended = { type: 'key.ended', reason: 'expired' } as AuditFact

test.each<[string, readonly AuditFact[], string | null]>([
  ['the whole budget', [minted, activation, activation, ended], null],
  ['one that was given back and used again', [minted, activation, activation, givenBack, activation], null],
  ['one that is given back after the end', [minted, activation, ended, givenBack], null],
  ['one beyond the budget', [minted, activation, activation, activation], 'impossible 4'],
  ['one after the end', [minted, ended, activation], 'impossible 3'],
  ['a second end', [minted, ended, ended], 'impossible 3'],
])('a chain in which all is linked, with %s: %s', (_, facts, found) => {
  const { fault } = verified(linked(facts).map(bytes))
  expect(fault && `${fault.kind} ${fault.seq}`).toBe(found)
})

test('every single byte that is changed to any other is found, at its event or the next', () => {
  const events = chain(4).map(bytes)
  const witness = { seq: 4, hash: sha256(events[3]!), by: 'the receipt' }
  for (const [index, event] of events.entries())
    for (let i = 0; i < event.length; i++)
      for (const bit of [0, 1, 4, 5, 7]) {
        const changed = Buffer.from(event)
        changed[i] = changed[i]! ^ (1 << bit)
        const { fault } = verified(events.with(index, changed), [witness])
        if (!fault) expect.fail(`event ${index + 1}, byte ${i}, bit ${bit}`)
        expect([index + 1, index + 2]).toContain(fault.seq)
      }
})

test('where hashes are kept beside the events, the one that was changed is named', () => {
  const verifier = chainVerifier(KEY, sha256)
  for (const [i, text] of ten.entries()) verifier.add(bytes(i === 4 ? text.replace('/ä', '/b') : text), sha256(text))
  expect(verifier.end().fault).toMatchObject({
    kind: 'changed',
    chain: KEY,
    seq: 5,
    expected: `hash ${sha256(ten[4]!)}, as recorded beside it`,
  })
})

test.each([
  ['an event that is missing', ten.toSpliced(3, 1), 'missing 4'],
  ['the first that is missing', ten.slice(1), 'missing 1'],
  ['two that changed places', ten.with(3, ten[4]!).with(4, ten[3]!), 'reordered 4'],
  ['one that was moved to the end', [...ten.toSpliced(2, 1), ten[2]!], 'reordered 3'],
  ['one that stands twice', ten.toSpliced(4, 0, ten[3]!), 'duplicated 5'],
  ['an old one that stands again', ten.toSpliced(8, 0, ten[1]!), 'reordered 9'],
  ['a tail that was cut', ten.slice(0, 6), 'truncated 7'],
  ['a whole chain that was cut', [], 'truncated 1'],
  ['an event of another chain', ten.with(5, ten[5]!.replaceAll(KEY, 'broker')), 'unreadable 6'],
  ['what is no event', ten.with(5, '[]'), 'unreadable 6'],
])('%s is found and named', (_, events, expected) => {
  expect(fault(events)).toBe(expected)
})

test('a fault says what was expected and what was found', () => {
  expect(verified(ten.slice(0, 6).map(bytes), [end]).fault).toEqual({
    kind: 'truncated',
    chain: KEY,
    seq: 7,
    expected: 'at least 10 events, says checkpoint 3',
    found: '6 events',
  })
})

test('what whoever changed the record wrote cannot fill the report', () => {
  const long = ten[9]!.replace(/"prev":"[0-9a-f]+"/, `"prev":"${'x'.repeat(10_000)}"`)
  expect(verified([...ten.slice(0, 9), long].map(bytes)).fault?.found.length).toBeLessThan(120)
})
