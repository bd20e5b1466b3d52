import { KEY_ID } from '#domain/key.ts'
import { WrongUse } from './failure.ts'

/** Who gives a key instead of its id must not find it in a log. */
export function keyId(text: string): string {
  if (KEY_ID.test(text)) return text
  throw new WrongUse('Cannot look this up: expected the id of a key, k_ and 22 letters and digits, not the key itself.')
}
