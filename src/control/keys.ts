import { describeKey } from '#broker/describe-key.ts'
import { isRefusal, type Proof } from '#broker/find-grant.ts'
import { identifyJob } from '#broker/identify-job.ts'
import { CLOCK_IS_BEHIND, mint, refuseAsk, refuseByClock } from '#broker/mint.ts'
import { readReceipt } from '#broker/read-receipt.ts'
import { revoke } from '#broker/revoke.ts'
import { refusal } from '#domain/refusal.ts'
import { mintAnswer, receiptAnswer, selfAnswer } from './answers.ts'
import { answer, type Call, type Outcome } from './call.ts'
import { readAsk } from './read-ask.ts'

/** Who asks is known before what is asked is looked at: an outsider learns nothing about shapes. */
export async function mintKey({
  control,
  proof,
  body,
  idempotencyKey,
}: Call<Extract<Proof, { kind: 'token' }>>): Promise<Outcome> {
  if (control.stopping()) return STOPPING
  const caller = await identifyJob(control, proof.idToken)
  const clockIsBehind = control.clockIsBehind?.() === true
  // By a clock that was set back, and is counted on from where it stood, a fresh token may not verify.
  if (isRefusal(caller)) return clockIsBehind && caller.code === 'token_invalid' ? CLOCK_IS_BEHIND : caller
  if (clockIsBehind) return refuseByClock(control, caller)
  const ask = readAsk(body)
  if (isRefusal(ask)) return refuseAsk(control, caller, ask)
  if (idempotencyKey !== null && !IDEMPOTENCY_KEY.test(idempotencyKey)) return refuseAsk(control, caller, WRONG_KEY)
  const minted = await mint(control, caller, ask, idempotencyKey)
  return isRefusal(minted) ? minted : answer(201, await mintAnswer(control, minted))
}

const STOPPING = refusal('not_ready', 'Cannot mint a key: this broker is stopping. Ask again in a moment.')
const WRONG_KEY = refusal('request_invalid', 'Idempotency-Key: expected 16 to 128 visible ASCII characters.')
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{16,128}$/

export async function describeOwnKey({ control, proof }: Call<Extract<Proof, { kind: 'key' }>>): Promise<Outcome> {
  const described = await describeKey(control, proof.key)
  return isRefusal(described) ? described : answer(200, selfAnswer(control, described))
}

export async function revokeKey({ control, id, proof }: Call<Proof>): Promise<Outcome> {
  const receipt = await revoke(control, id, proof)
  return isRefusal(receipt) ? receipt : answer(200, await receiptAnswer(control, receipt))
}

export async function showReceipt({ control, id, proof }: Call<Proof>): Promise<Outcome> {
  const receipt = await readReceipt(control, id, proof)
  return isRefusal(receipt) ? receipt : answer(200, await receiptAnswer(control, receipt))
}
