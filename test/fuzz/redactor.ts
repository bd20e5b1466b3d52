import assert from 'node:assert/strict'
import fc from 'fast-check'
import { credentialForms } from '#domain/credential-forms.ts'
import { redactors } from '#proxy/redactor.ts'
import { propertyFuzzer } from './fuzzer.ts'

const HEADER = { name: 'authorization', before: 'Bearer ', after: '' }
const credentials = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 8,
  maxLength: 64,
})
const inputs = credentials.chain((credential) =>
  fc.record({
    credential: fc.constant(credential),
    // Whole forms, their beginnings and ends, and the same again, so that half a find stands before a whole one.
    pieces: fc.array(
      fc.oneof(
        fc.string(),
        fc.constantFrom(...credentialForms(credential, HEADER)),
        fc
          .tuple(fc.constantFrom(...credentialForms(credential, HEADER)), fc.nat(20))
          .map(([form, cut]) => form.slice(0, form.length - cut)),
        fc
          .tuple(fc.constantFrom(...credentialForms(credential, HEADER)), fc.nat(20))
          .map(([form, cut]) => form.slice(cut)),
      ),
      { maxLength: 8 },
    ),
    sizes: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }),
  }),
)

/** T20: however an answer is cut, no form of the credential leaves, lengths stay, and what is struck out was a form. */
export const redactorFuzzer = propertyFuzzer('redactor', 500, inputs, ({ credential, pieces, sizes }) => {
  const forms = credentialForms(credential, HEADER)
  const answer = Buffer.from(pieces.join(''))
  const redactor = redactors()({ name: 'p', header: HEADER }, credential)
  const out: Buffer[] = []
  for (let at = 0, n = 0; at < answer.length; n++) {
    const size = sizes[n % sizes.length]!
    out.push(Buffer.from(redactor.push(Buffer.from(answer.subarray(at, at + size)))))
    at += size
  }
  out.push(Buffer.from(redactor.end()))
  const [before, after] = [answer.toString('latin1'), Buffer.concat(out).toString('latin1')]
  for (const form of forms) assert.ok(!after.includes(form), form)
  // Position by position: a byte is as it was, or a star within a form.
  const struck = new Uint8Array(before.length)
  for (const form of forms)
    for (let i = before.indexOf(form); i >= 0; i = before.indexOf(form, i + 1)) struck.fill(1, i, i + form.length)
  assert.equal(after.length, before.length)
  for (let i = 0; i < before.length; i++)
    if (after[i] !== before[i]) assert.deepEqual(['*#~x'.includes(after[i]!), struck[i]], [true, 1])
})
