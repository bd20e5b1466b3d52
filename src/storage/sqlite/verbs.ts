import type { Transaction } from './transaction.ts'
import { admitFree, charge } from './verbs/charge.ts'
import { behindCheckpoint, checkpoints, newEvents, sinceCheckpoint, writeCheckpoint } from './verbs/checkpoint.ts'
import { end, sweep, touch } from './verbs/end.ts'
import { endJob } from './verbs/end-job.ts'
import { giveBack } from './verbs/give-back.ts'
import { close, probe } from './verbs/housekeeping.ts'
import { mint, refuseMint } from './verbs/mint.ts'
import { events, find, findById, list, ofRefs, state } from './verbs/read.ts'
import { record } from './verbs/record.ts'
import { createRecord, readRecord, writeRecord } from './verbs/sealed-record.ts'

/** What the worker can be asked: each verb runs inside a transaction. */
export const verbs = {
  mint,
  refuseMint,
  find,
  findById,
  state,
  charge,
  admitFree,
  giveBack,
  record,
  touch,
  end,
  endJob,
  sweep,
  events,
  list,
  ofRefs,
  readRecord,
  writeRecord,
  createRecord,
  sinceCheckpoint,
  writeCheckpoint,
  checkpoints,
  behindCheckpoint,
  newEvents,
  probe,
  close,
}

export type Verb = keyof typeof verbs
type Rest<A> = A extends [Transaction, ...infer R] ? R : never
export type Arguments<V extends Verb> = Rest<Parameters<(typeof verbs)[V]>>
export type Result<V extends Verb> = ReturnType<(typeof verbs)[V]>
/** A verb and its arguments, as they go to the worker. */
export type Call = readonly [Verb, ...unknown[]]
