import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Call, check, type Did } from './checker.ts'

const LIMIT = 3
const used: Did = { kind: 'used' }
const spent: Did = { kind: 'refused_spent' }
const dead: Did = { kind: 'refused_ended' }
const revoked: Did = { kind: 'revoked' }
const read = (n: number): Did => ({ kind: 'read', used: n })

/** Calls one after the other, each ended before the next begins. */
function inTurn(...did: Did[]): Call[] {
  return did.map((one, at) => ({ begin: 2 * at, end: 2 * at + 1, did: one }))
}

describe('a history is linearizable', () => {
  test.each<[string, Call[]]>([
    ['that spends a budget to its end', inTurn(used, read(1), used, used, spent, read(3))],
    ['that ends', inTurn(used, revoked, dead, revoked, dead)],
    [
      'whose calls overlap and saw each other in another order than they began',
      [
        { begin: 0, end: 5, did: used },
        { begin: 1, end: 2, did: read(0) },
        { begin: 3, end: 4, did: read(1) },
      ],
    ],
    [
      'in which a use of unknown outcome counted',
      [{ begin: 0, end: null, did: used }, ...inTurn(read(1)).map((call) => ({ ...call, begin: 1, end: 2 }))],
    ],
    [
      'in which a use of unknown outcome did not count',
      [{ begin: 0, end: null, did: used }, ...inTurn(used, used, used).map(later(1))],
    ],
    [
      'in which a use of unknown outcome counted late',
      [{ begin: -1, end: null, did: used }, ...inTurn(read(0), read(1))],
    ],
    ['in which a revocation of unknown outcome came', [{ begin: -1, end: null, did: revoked }, ...inTurn(used, dead)]],
    ['that was spent when it ended', inTurn(used, used, used, revoked, spent)],
  ])('%s', (_, history) => {
    expect(check(history, LIMIT).isLinearizable).toBe(true)
  })
})

describe('a history is not linearizable', () => {
  test.each<[string, Call[], number]>([
    ['that spends more than the budget', inTurn(used, used, used, used), 3],
    ['that spends after the end', inTurn(used, revoked, used), 2],
    ['that spends after a refusal for the end', [{ begin: -1, end: null, did: revoked }, ...inTurn(dead, used)], 2],
    ['whose counter goes back', inTurn(used, used, read(2), read(1)), 3],
    ['that forgets a use', inTurn(used, read(0)), 1],
    ['that counts a use twice', inTurn(used, read(2)), 1],
    ['that refuses as spent what is not', inTurn(used, used, spent), 2],
    ['that refuses as ended what is not', inTurn(used, dead), 1],
    ['that reads an ended key as alive', inTurn(revoked, read(0)), 1],
    ['that counts one unknown use twice', [{ begin: -1, end: null, did: used }, ...inTurn(read(1), read(2))], 2],
    [
      'that gives the last activation to two who overlap',
      [...inTurn(used, used), { begin: 10, end: 20, did: used }, { begin: 11, end: 21, did: used }],
      3,
    ],
  ])('%s', (_, history, culprit) => {
    const verdict = check(history, LIMIT)
    expect(verdict.isLinearizable).toBe(false)
    expect(verdict.culprit).toBe(history[culprit])
  })
})

const did = fc.oneof(
  { weight: 4, arbitrary: fc.constant(used) },
  { weight: 1, arbitrary: fc.constantFrom(spent, dead, revoked) },
  { weight: 2, arbitrary: fc.nat(LIMIT).map(read) },
)

test('it says of every short history what trying every order says', () => {
  let linearizable = 0
  let others = 0
  fc.assert(
    fc.property(fc.array(fc.tuple(did, fc.nat(12), fc.nat(6), fc.nat(5)), { minLength: 1, maxLength: 6 }), (drawn) => {
      const history = drawn.map(([one, begin, length, unknown], at): Call => {
        const isUnknown = unknown === 0 && (one.kind === 'used' || one.kind === 'revoked')
        return { begin: begin + at / 100, end: isUnknown ? null : begin + length + 0.5 + at / 100, did: one }
      })
      const expected = someOrderFits(history, { used: 0, hasEnded: false })
      if (expected) linearizable++
      else others++
      return check(history, LIMIT).isLinearizable === expected
    }),
    { numRuns: 5000 },
  )
  expect(linearizable).toBeGreaterThan(100)
  expect(others).toBeGreaterThan(100)
})

test('a long history with many clients is decided, and one answer that is made false in it is found', () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat(2 ** 31 - 1)), (random) => {
      const draw = (below: number) => random.next().value! % below
      const history = simulated(draw, 400, 16, 60)
      expect(check(history, 60)).toEqual({ isLinearizable: true, culprit: null })
      const reads = history.filter((call) => call.did.kind === 'read')
      const victim = reads[draw(reads.length)]!
      const far = victim.did.kind === 'read' && victim.did.used > 30 ? 0 : 60
      const changed = history.map((call) => (call === victim ? { ...call, did: read(far) } : call))
      expect(check(changed, 60).isLinearizable).toBe(false)
    }),
    { numRuns: 50 },
  )
})

/** A counter that is right, used by clients whose calls begin and end at random. */
function simulated(draw: (below: number) => number, steps: number, clients: number, limit: number): Call[] {
  const calls: { begin: number; end: number | null; did: Did }[] = []
  const busy: ({ begin: number; wants: 'use' | 'read'; did: Did | null } | null)[] = Array(clients).fill(null)
  let count = 0
  for (let step = 0; step < steps; step++) {
    const client = draw(clients)
    const call = busy[client]
    if (!call) {
      busy[client] = { begin: step, wants: draw(4) === 0 ? 'read' : 'use', did: null }
    } else if (!call.did) {
      if (call.wants === 'read') call.did = read(count)
      else call.did = count < limit ? used : spent
      if (call.did === used) count++
    } else {
      // One in 40 clients never hears of it.
      const isLost = call.did === used && draw(40) === 0
      calls.push({ begin: call.begin, end: isLost ? null : step, did: call.did })
      busy[client] = null
    }
  }
  // What was counted for those who still wait is part of the history too.
  for (const call of busy) if (call?.did === used) calls.push({ begin: call.begin, end: null, did: used })
  return calls
}

function someOrderFits(rest: readonly Call[], state: { used: number; hasEnded: boolean }): boolean {
  const known = rest.filter((call) => call.end !== null)
  if (known.length === 0) return true
  const firstEnd = Math.min(...known.map((call) => call.end!))
  return rest
    .filter((call) => call.begin < firstEnd)
    .some((call) => {
      const next = answered(state, call.did)
      return (
        next !== null &&
        someOrderFits(
          rest.filter((other) => other !== call),
          next,
        )
      )
    })
}

function answered({ used, hasEnded }: { used: number; hasEnded: boolean }, did: Did) {
  switch (did.kind) {
    case 'used':
      return !hasEnded && used < LIMIT ? { used: used + 1, hasEnded } : null
    case 'revoked':
      return { used, hasEnded: true }
    case 'refused_spent':
      return used >= LIMIT ? { used, hasEnded } : null
    case 'refused_ended':
      return hasEnded ? { used, hasEnded } : null
    case 'read':
      return !hasEnded && used === did.used ? { used, hasEnded } : null
  }
}

function later(by: number): (call: Call) => Call {
  return (call) => ({ ...call, begin: call.begin + by, end: call.end === null ? null : call.end + by })
}
