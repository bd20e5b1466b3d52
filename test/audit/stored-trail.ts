import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeCheckpoint } from '#audit/make-checkpoint.ts'
import { type TrailReport, type VerifySignature, verifyTrail } from '#audit/verify-trail.ts'
import type { Ledger, Signer } from '#broker/ports.ts'
import { randomBytes } from '#crypto/digest.ts'
import { receiptSigner } from '#crypto/receipt-signer.ts'
import { sealer } from '#crypto/seal.ts'
import { verifyJws } from '#crypto/verify-receipt.ts'
import type { Grant } from '#domain/grant.ts'
import { openTrail } from '#storage/sqlite/trail.ts'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { aRequest, mintEntry, minted, T0 } from '#test/contract/mint-entry.ts'

/** A small store with everything in it: two keys, a refused mint, two checkpoints, and a few events after the last. */
export interface StoredTrail {
  readonly folder: string
  readonly path: string
  readonly ledger: Ledger
  readonly signer: Signer
  readonly verify: VerifySignature
  readonly keys: readonly [Grant, Grant]
  /** The checkpoints as they would have been shipped. */
  readonly shipped: readonly string[]
  close(): Promise<void>
}

export async function storedTrail(): Promise<StoredTrail> {
  const folder = mkdtempSync(join(tmpdir(), 'till-audit-'))
  const path = join(folder, 'till.db')
  const ledger = await openSqliteLedger({ path })
  const signer = await receiptSigner({ ledger, seal: await sealer(randomBytes(32)) })
  const first = await minted(ledger)
  const second = await minted(ledger)
  await use(ledger, first, 2)
  const shipped = [(await makeCheckpoint({ ledger, signer }, T0 + 60))!.jws]
  const refused = mintEntry()
  await ledger.refuseMint({
    token: refused.token,
    mayBeSentAgain: false,
    fact: {
      type: 'mint.refused',
      deny_id: 'd_1',
      code: 'policy_denied',
      job: { ...JOB, repository_id: refused.token.repositoryId },
      considered: [],
    },
    now: T0 + 61,
  })
  await use(ledger, second, 2)
  await ledger.end(second, 'revoked_by_operator', T0 + 90, 'ops')
  shipped.push((await makeCheckpoint({ ledger, signer }, T0 + 120))!.jws)
  await use(ledger, first, 1)
  return {
    folder,
    path,
    ledger,
    signer,
    verify: remembered((jws, type) => verifyJws(jws, signer.publicKeys(), type)),
    keys: [first, second],
    shipped,
    async close() {
      await ledger.close()
      rmSync(folder, { recursive: true })
    },
  }
}

/** A store is verified thousands of times here, and its signatures stay the same. */
function remembered(verify: VerifySignature): VerifySignature {
  const known = new Map<string, ReturnType<VerifySignature>>()
  return (jws, type) =>
    known.get(`${type} ${jws}`) ?? known.set(`${type} ${jws}`, verify(jws, type)).get(`${type} ${jws}`)!
}

const JOB = {
  issuer: 'https://token.actions.githubusercontent.com',
  repository: 'acme/web',
  repository_owner_id: '10',
  run_id: '1',
  run_attempt: '1',
  check_run_id: '1',
  ref: null,
  sha: null,
  event_name: 'push',
  workflow_ref: null,
  actor: 'zoë \ufffd',
}

async function use(ledger: Ledger, grant: Grant, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const request = aRequest()
    await ledger.charge(grant, request, T0 + i)
    await ledger.record(
      grant,
      {
        type: 'request.finished',
        request_id: request.requestId,
        provider: request.provider,
        route: request.route,
        free: false,
        status: 200,
        outcome: 'answered',
        bytes_in: 10,
        bytes_out: 20,
        milliseconds: 5,
        model: request.model,
        input_tokens: 1,
        output_tokens: null,
      },
      T0 + i,
    )
  }
}

/** Verifies what is in the file now. */
export async function verified(
  path: string,
  verify: VerifySignature,
  options: Parameters<typeof verifyTrail>[2] = {},
): Promise<TrailReport> {
  const trail = openTrail(path)
  try {
    return await verifyTrail(trail, verify, options)
  } finally {
    await trail.close()
  }
}

/** Changes the store behind Till's back. */
export function tamper(path: string, sql: string): void {
  const database = new DatabaseSync(path)
  try {
    database.exec(`PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; ${sql}`)
  } finally {
    database.close()
  }
}
