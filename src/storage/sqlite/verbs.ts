import type { GrantTransaction } from '#storage/grant-transaction.ts'
import { admitFree, charge } from '#storage/grant-verbs/charge.ts'
import { end } from '#storage/grant-verbs/end.ts'
import { giveBack } from '#storage/grant-verbs/give-back.ts'
import { record } from '#storage/grant-verbs/record.ts'
import { state } from '#storage/grant-verbs/state.ts'
import { touch } from '#storage/grant-verbs/touch.ts'
import type { Transaction } from './transaction.ts'
import { behindCheckpoint, checkpoints, newEvents, sinceCheckpoint, writeCheckpoint } from './verbs/checkpoint.ts'
import { close } from './verbs/close.ts'
import { endJob } from './verbs/end-job.ts'
import { forgetKeys } from './verbs/forget-keys.ts'
import { mint, refuseMint } from './verbs/mint.ts'
import { probe } from './verbs/probe.ts'
import { events, list, ofRefs } from './verbs/read.ts'
import { createRecord, readRecord, writeRecord } from './verbs/sealed-record.ts'
import { sweep } from './verbs/sweep.ts'

/** What the worker can be asked: each verb runs inside a transaction. */
export const verbs = {
  mint,
  refuseMint,
  state,
  charge,
  admitFree,
  giveBack,
  record,
  touch,
  end,
  endJob,
  sweep,
  forgetKeys,
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
type Rest<A> = A extends [Transaction | GrantTransaction, ...infer R] ? R : never
export type Arguments<V extends Verb> = Rest<Parameters<(typeof verbs)[V]>>
export type Result<V extends Verb> = ReturnType<(typeof verbs)[V]>
/** A verb and its arguments, as they go to the worker. */
export type Call = readonly [Verb, ...unknown[]]
