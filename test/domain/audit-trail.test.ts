import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { Sha256, Witness } from '#domain/audit-chain.ts'
import { BROKER_CHAIN, eventText, FIRST_PREV } from '#domain/audit-event.ts'
import { type TrailRecord, trailVerifier } from '#domain/audit-trail.ts'

/** What the verifier of a trail makes of a chain that retention has removed. */
const sha256: Sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex')
const KEY = 'k_0000000000000000000001'
const HEAD = 'ab'.repeat(32)
const WITNESS = { seq: 3, hash: HEAD, by: 'checkpoint 1' }

function forgetting(events: number, head: string): Uint8Array {
  const fact = { type: 'operator.forget', operator: 'retention', key: KEY, events, head } as const
  return Buffer.from(eventText({ ...fact, chain: BROKER_CHAIN, seq: 1, at: 1, prev: FIRST_PREV }))
}

function faultsWith(
  brokerEvents: readonly Uint8Array[],
  { isCopy = false, witnesses = [] as readonly Witness[] } = {},
): (string | undefined)[] {
  const records: TrailRecord[] = [
    { kind: 'chain', chain: BROKER_CHAIN, witnesses },
    ...brokerEvents.map((bytes): TrailRecord => ({ kind: 'event', bytes, hash: null, misplaced: null })),
    { kind: 'end', end: null, misplaced: null },
    { kind: 'chain', chain: KEY, witnesses: [WITNESS] },
    { kind: 'end', end: null, misplaced: null },
  ]
  const verifier = trailVerifier(sha256, { isCopy })
  for (const record of records) verifier.add(record)
  return verifier.end().faults.map(({ kind, chain }) => `${chain} ${kind}`)
}

test("a chain that is gone holds if the broker's chain says that it was forgotten, and where it ended", () => {
  expect(faultsWith([forgetting(3, HEAD)])).toEqual([])
})

test('in a copy it holds only if a witness has seen the event that says so', () => {
  const event = forgetting(3, HEAD)
  const witnesses = [{ seq: 1, hash: sha256(event), by: 'checkpoint 2' }]
  expect(faultsWith([event], { isCopy: true, witnesses })).toEqual([])
  expect(faultsWith([event], { isCopy: true })).toEqual([`${KEY} truncated`])
})

test.each<[string, Uint8Array[], string[]]>([
  ['of which nothing is said', [], [`${KEY} truncated`]],
  ['that is said to have ended before its last witness', [forgetting(2, HEAD)], [`${KEY} truncated`]],
  ['that is said to have ended after its last witness', [forgetting(4, HEAD)], [`${KEY} truncated`]],
  ['that is said to have ended with another hash', [forgetting(3, 'cd'.repeat(32))], [`${KEY} truncated`]],
  [
    'of which a broken chain speaks',
    [forgetting(3, HEAD), Buffer.from('{}')],
    [`${BROKER_CHAIN} unreadable`, `${KEY} truncated`],
  ],
])('a chain that is gone, %s, is truncated', (_, events, faults) => {
  expect(faultsWith(events)).toEqual(faults)
})
