import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Ledger } from '#broker/ports.ts'
import {
  activate,
  type Ending,
  type EndReason,
  endReason,
  type Grant,
  type GrantState,
  naturalEnd,
} from '#domain/grant.ts'
import { openPostgresLedger } from '#storage/postgres-ledger.ts'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { aRequest, minted, T0 } from '#test/contract/mint-entry.ts'
import { verifiedEvents } from '#test/contract/verify-chain.ts'
import { startPostgres } from '#test/support/postgres.ts'

/** What a ledger is, without a disk: the rules of the domain, one after the other. */
class Model {
  used = 0
  givenBack = 0
  activeAt: number
  ended: Ending | null = null
  readonly open = new Set<string>()
  readonly grant: Grant

  constructor(grant: Grant) {
    this.grant = grant
    this.activeAt = grant.mintedAt
  }

  look(now: number): void {
    const natural = this.ended ? null : naturalEnd(this.grant, this, now)
    if (natural) this.end(natural.reason, natural.at)
  }

  end(cause: EndReason, at: number): void {
    const reason = endReason(cause, { used: this.used, limit: this.grant.limit, open: this.open.size })
    this.ended ??= { at, reason }
  }

  state(): GrantState {
    const { used, givenBack, activeAt, ended } = this
    return { used, givenBack, activeAt, ended }
  }
}

type Step =
  | { readonly do: 'charge' | 'state' | 'touch' | 'sweep' | 'revoke'; readonly after: number }
  | { readonly do: 'give back' | 'finish'; readonly after: number; readonly which: number }

const after = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 20 }) },
  { weight: 1, arbitrary: fc.integer({ min: -50, max: 120 }) },
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('charge' as const), after }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constantFrom('give back' as const, 'finish' as const), after, which: fc.nat(9) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('state' as const, 'touch' as const, 'sweep' as const), after }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke' as const), after }) },
)

const stores = {
  SQLite: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'till-ledger-'))
    const ledger = await openSqliteLedger({ path: join(folder, 'till.db') })
    return { ledger, remove: () => rm(folder, { recursive: true }) }
  },
  PostgreSQL: async () => {
    const postgres = await startPostgres()
    const ledger = await openPostgresLedger({ url: await postgres.createDatabase() })
    return { ledger, remove: () => postgres.stop() }
  },
}

test.each(Object.entries(stores))(
  'on %s the ledger answers every history as the rules of the domain do',
  async (_, open) => {
    const { ledger, remove } = await open()
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.integer({ min: 1, max: 6 }),
        fc.option(fc.integer({ min: 30, max: 100 }), { nil: null }),
        async (steps, limit, idleAfter) => {
          const grant = await minted(ledger, { limit, idleAfter, expiresIn: 300 })
          const model = new Model(grant)
          let now = T0
          for (const next of steps) {
            now += next.after
            await take(ledger, next, grant, model, now)
          }
          await take(ledger, { do: 'state', after: 0 }, grant, model, now)
          const events = await verifiedEvents(ledger, grant.id)
          const count = (type: string) => events.filter((event) => event.type === type).length
          expect(count('activation') - count('activation.given_back')).toBe(model.used)
          expect(count('key.ended')).toBe(model.ended ? 1 : 0)
        },
      ),
      { numRuns: 60 },
    )
    await ledger.close()
    await remove()
  },
)

async function take(ledger: Ledger, next: Step, grant: Grant, model: Model, now: number): Promise<void> {
  // The ledger is not asked then, so it does not see the clock either.
  if (next.do === 'finish' && next.which >= model.open.size) return
  if (next.do !== 'sweep') model.look(now)
  switch (next.do) {
    case 'charge': {
      const request = aRequest()
      const expected = activate(grant, model, now)
      expect(await ledger.charge(grant, request, now)).toEqual(expected)
      if (expected.kind === 'refused') return
      model.used++
      model.activeAt = Math.max(model.activeAt, now)
      model.open.add(request.requestId)
      return
    }
    case 'give back': {
      const id = [...model.open][next.which]
      await ledger.giveBack(grant, id ?? 'never charged', 'connect', now)
      if (id === undefined) return
      model.open.delete(id)
      model.used--
      model.givenBack++
      return
    }
    case 'finish': {
      const id = [...model.open][next.which]!
      const { provider, route, model: name } = aRequest(id)
      await ledger.record(
        grant,
        {
          type: 'request.finished',
          request_id: id,
          provider,
          route,
          free: false,
          status: 200,
          outcome: 'answered',
          bytes_in: 1,
          bytes_out: 1,
          milliseconds: 1,
          model: name,
          input_tokens: null,
          output_tokens: null,
        },
        now,
      )
      model.open.delete(id)
      model.activeAt = Math.max(model.activeAt, now)
      return
    }
    case 'touch':
      await ledger.touch([grant.id], now)
      if (!model.ended) model.activeAt = Math.max(model.activeAt, now)
      return
    case 'revoke':
      model.end('revoked_by_job', now)
      expect(await ledger.end(grant, 'revoked_by_job', now)).toEqual(model.ended)
      return
    case 'sweep':
      await ledger.sweep(now)
      model.look(now)
      return
    default:
      expect(await ledger.state(grant, now)).toEqual(model.state())
  }
}
